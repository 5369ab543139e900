package platform

// Problem is an error as RFC 9457 has it: what programs are told, and what the assay command reads.
type Problem struct {
	Type      string    `json:"type" doc:"about:blank: the status says what kind it is."`
	Title     string    `json:"title" doc:"The words of the status."`
	Status    int       `json:"status" doc:"The HTTP status."`
	Detail    string    `json:"detail" doc:"What was wrong, and what to do next, for people."`
	Code      Code      `json:"code" enum:"invalid,unauthorised,forbidden,not_found,conflict,gone,rate_limited,internal" doc:"What kind of failure, for programs."`
	Field     string    `json:"field,omitempty" doc:"The input that it is about."`
	RequestID string    `json:"requestId,omitempty" doc:"Under this id the server's log has more."`
	Errors    []Mistake `json:"errors,omitempty" doc:"What does not fit, one by one."`
}

// Mistake is one thing in a request that does not fit.
type Mistake struct {
	Location string `json:"location" doc:"Where, e.g. body.name, or line 3 of a list."`
	Message  string `json:"message"`
}
