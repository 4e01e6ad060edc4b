package reports

// Summary is summary.json.
func (r *Report) Summary() ([]byte, error) { return r.summaryJSON() }
