package web_test

import (
	"testing"

	"go.uber.org/goleak"
)

// scs.New starts a goroutine for a store in memory that auth.NewSessions does not use, and that cannot be ended. The
// clock that regexp2 starts when code is coloured ends by itself a while later.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"),
		goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}
