package web_test

import (
	"testing"

	"go.uber.org/goleak"
)

// scs.New starts a goroutine for a store in memory that auth.NewSessions does not use, and that cannot be ended. What colours code in
// reports has a clock that ends itself a while after it was needed.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/alexedwards/scs/v2/memstore.(*MemStore).startCleanup"),
		goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}
