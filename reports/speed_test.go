package reports
import ("testing";"bytes";"image/png";"image";"gonum.org/v1/plot/vg/vgimg";"gonum.org/v1/plot/vg/draw")
func BenchmarkPNG(b *testing.B){
 r:=fold(run(course{40,3,60,plantB,1.15}))
 for _,lv:=range []png.CompressionLevel{png.DefaultCompression,png.BestSpeed}{
 b.Run("",func(b *testing.B){
 c:=vgimg.NewWith(vgimg.UseWH(width,432), vgimg.UseDPI(dpi)); paintPanels(draw.New(c), r.convergencePanels())
 var buf bytes.Buffer
 for b.Loop(){ buf.Reset(); e:=png.Encoder{CompressionLevel:lv}; e.Encode(&buf,c.Image()) }
 b.ReportMetric(float64(buf.Len()),"bytes")
 _ = image.Black
 })}
 b.Run("draw",func(b *testing.B){ for b.Loop(){c:=vgimg.NewWith(vgimg.UseWH(width,432), vgimg.UseDPI(dpi)); paintPanels(draw.New(c), r.convergencePanels())}})
}
