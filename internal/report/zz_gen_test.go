package report_test
import ("os";"testing";"github.com/assay-run/assay/internal/report";"github.com/assay-run/assay/internal/report/reporttest";"github.com/assay-run/assay/internal/grading";"github.com/assay-run/assay/internal/evidence")
func TestGen(t *testing.T){
 ref:=97.0
 for n,v:=range map[string]struct{r *grading.Report;e *evidence.Grading}{"blocked":{reporttest.Blocked(),reporttest.Grading()},"oom":{reporttest.OutOfMemory(),reporttest.OutOfMemoryGrading()},"practice":{reporttest.Practice(),reporttest.Grading()},"invalid":{reporttest.Invalid(),nil},"withheld":{reporttest.Withheld(),reporttest.Grading()},"empty":{reporttest.Empty(),nil}}{
  f,_:=os.Create("/tmp/g/"+n+".html"); o:=report.Options{}; if n=="blocked"{o.ReferenceScore=&ref}
  if err:=report.HTML(f,v.r,v.e,o);err!=nil{t.Fatal(err)}; f.Close()
 }
}
