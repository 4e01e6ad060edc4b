package governing

import "flyball/engine"

// Still returns those facts of a Kept that still count, and changes nothing: the last one is all that it knows.
func Still(facts []engine.Fact) []engine.Fact { return facts[max(0, len(facts)-1):] }
