package debugservice

// facts is what Drive saw, for the judge.
type facts struct {
	// ReadyNs is from the start of the process to the first 200 of GET /healthz; -1 when none came in time.
	ReadyNs int64 `json:"readyNs"`
	// Ended says that the process was gone before it was told to go.
	Ended bool `json:"ended"`
	// Cases are the answers to the script, by name.
	Cases map[string]*seen `json:"cases,omitempty"`
	// Fresh are the answers about what changes.
	Fresh *freshFacts `json:"fresh,omitempty"`
	// Audited and AuditAsked count the requests of the script with a right line in the audit log, and all of them.
	Audited    int `json:"audited"`
	AuditAsked int `json:"auditAsked"`
	// Checks are the readings, by cause.
	Checks map[string]*reading `json:"checks,omitempty"`
	Load   *loadFacts          `json:"load,omitempty"`
}

// freshFacts are answers about what had just changed; -1 where there was none.
type freshFacts struct {
	Changed int   `json:"changed"` // status of the change of a price
	Price   []int `json:"price"`   // wherever it is seen, after the change, in the order of seenAt
	Stock   []int `json:"stock"`   // after each of two changes, as the next ones
	Pieces  []int `json:"pieces"`  // in one of the warehouses
	Amount  []int `json:"amount"`  // of the new price in another currency
}

// loadFacts are what the load measured. Times are ns.
type loadFacts struct {
	// Answers counts what came back to each request, by name of the call and digest of the answer; for calls that were drawn, by "drawn/" and
	// their route, and by status, or asKnown.
	Answers map[string]map[string]int `json:"answers"`
	Due     int                       `json:"due"`
	Good    int                       `json:"good"` // with the status that the script had in the warm-up
	P50Ns   int64                     `json:"p50Ns"`
	P95Ns   int64                     `json:"p95Ns"` // of the time beyond what the services behind it take
	// FullSeconds is how long the second part took, FullGood how many requests were answered in it.
	FullSeconds float64 `json:"fullSeconds"`
	FullGood    int     `json:"fullGood"`
}
