package evidence

// CodeKind says what a reason code does to a verdict.
type CodeKind string

// The kinds of a reason code.
const (
	// FaultCode is a weakness of the submission. It explains a score; it never changes one by itself.
	FaultCode CodeKind = "fault"
	// TamperCode is a contradiction between what a submission reports of itself and what was measured from outside.
	// It never fails a person: the verdict is withheld until a human has looked.
	TamperCode CodeKind = "tamper"
	// InvalidCode is a grading that cannot be trusted, by no fault of the submission. Nothing is charged.
	InvalidCode CodeKind = "invalid"
)

// The codes that the scoring itself gives; all others come from graders and challenges.
const (
	CodeCrash      = "CRASH"
	CodeTamper     = "TAMPER"
	CodeInvalidRun = "INVALID_RUN"

	CodeLimitCPU       = "LIMIT_CPU"
	CodeLimitProcesses = "LIMIT_PROCESSES"
	CodeLimitFiles     = "LIMIT_FILES"
	CodeLimitDisk      = "LIMIT_DISK"
	CodeLimitOutput    = "LIMIT_OUTPUT"

	// These are what reaching the limits of memory and time is called.
	CodeOOMCgroup = "OOM_CGROUP"
	CodeHang      = "HANG"
)

// CodeDoc is a reason code with one sentence for each reader.
type CodeDoc struct {
	Code      string   `json:"code"`
	Kind      CodeKind `json:"kind"`
	Engineer  string   `json:"engineer"`  // the mechanism, and where to look
	Recruiter string   `json:"recruiter"` // what a user or an operator of the service would notice
}

// Codes returns the closed list of reason codes, grouped by theme. The caller owns the slice.
func Codes() []CodeDoc {
	var all []CodeDoc
	for _, group := range [][]CodeDoc{
		resultCodes(), memoryCodes(), loopCodes(), loadCodes(), errorCodes(), retryCodes(),
		securityCodes(), effectCodes(), moduleCodes(), limitCodes(), specialCodes(),
	} {
		all = append(all, group...)
	}
	return all
}

// LookupCode returns the documentation of a code; ok is false for one that is not in the list.
func LookupCode(code string) (doc CodeDoc, ok bool) {
	for _, d := range Codes() {
		if d.Code == code {
			return d, true
		}
	}
	return CodeDoc{}, false
}

func resultCodes() []CodeDoc {
	return []CodeDoc{
		{"WRONG_OUTPUT", FaultCode,
			"The program finished, but its result is wrong, incomplete or not in the agreed form.",
			"The result is wrong or missing."},
		{"BOUNDARY_LOSS", FaultCode,
			"Records that lie across two chunks are lost or broken: the rest of one chunk is not joined to the next.",
			"A little of the data is lost again and again on the way, so totals come out wrong."},
		{"UTF8_SPLIT", FaultCode,
			"Multi-byte characters that lie across two chunks are decoded in halves; decode whole records or use a streaming decoder.",
			"Characters outside plain English are damaged now and then, for example in names."},
		{"STATE_LOST", FaultCode,
			"State that has to survive was kept in the process only and was gone after a restart.",
			"After a restart, data that customers had entered is gone."},
		{"SILENT_TRUNCATION", FaultCode,
			"The source failed half-way, but the response ended as if it were complete.",
			"When something breaks half-way, customers get part of the data and are not told."},
		{"PAGE_DRIFT", FaultCode,
			"Pages repeat or skip records when rows change between requests; page by key, not by offset.",
			"People who go through a list page by page see some entries twice and miss others."},
		{"STALE_READ", FaultCode,
			"An answer was older than the contract allows, or was cached although it must not be.",
			"People see out-of-date data for longer than promised."},
		{"DIVERGENCE", FaultCode,
			"Replicas that received the same operations ended in different states.",
			"Two people who look at the same thing see different content, and it stays that way."},
		{"ORDER_VIOLATION", FaultCode,
			"Operations on one key took effect in another order than they were given.",
			"Changes to one item are applied in the wrong order, so an old one can win over a new one."},
		{"MASKED_FIX", FaultCode,
			"The symptom is hidden (by a restart, more processes or a longer timeout), but its cause is still there.",
			"The problem was covered up instead of solved, and it will come back."},
	}
}

func memoryCodes() []CodeDoc {
	return []CodeDoc{
		{"OOM_HEAP", FaultCode,
			"V8 reached its heap limit and ended the process: too many JavaScript objects were held at once.",
			"The program ran out of memory and stopped."},
		{"OOM_CGROUP", FaultCode,
			"The process reached the container's memory limit and was ended there, or made no progress any more.",
			"The program needed more memory than it was given and was stopped."},
		{"MEM_UNBOUNDED", FaultCode,
			"Peak memory grows with the size of the input or with the number of waiting requests.",
			"The more data there is, the more memory it needs, so a busy enough day will stop it."},
		{"LEAK", FaultCode,
			"After warm-up, memory keeps growing under a steady load: something is kept for every request.",
			"It slowly fills its memory while it is in use and would have to be restarted regularly."},
		{"BACKPRESSURE_MISSING", FaultCode,
			"Data is read faster than the receiver takes it, and the difference is kept in memory.",
			"A customer with a slow connection makes the service hold more and more data in memory."},
		{"SOURCE_LEAK", FaultCode,
			"The connection to the source stays open after the client has gone.",
			"When customers close the page, work for them goes on and connections are used up."},
		{"CARDINALITY", FaultCode,
			"Metric labels hold values without bound, such as ids or raw paths, so the number of time series grows with traffic.",
			"Its monitoring becomes slower and more expensive with every customer."},
	}
}

func loopCodes() []CodeDoc {
	return []CodeDoc{
		{"LOOP_BLOCKED", FaultCode,
			"Synchronous work kept the event loop busy, so that timers, sockets and health checks had to wait.",
			"While one task is worked on, every other customer waits."},
		{"STARVATION", FaultCode,
			"Microtasks or process.nextTick refill themselves, so the loop never reaches timers and sockets.",
			"While one task is worked on, nobody else gets an answer, although it looks divided into steps."},
		{"THREAD_EXPLOSION", FaultCode,
			"The number of threads or processes grows with the number of requests instead of being a fixed pool.",
			"Many requests at once make it start too many helpers and slow the whole machine down."},
		{"HANG", FaultCode,
			"The work did not end within its time limit: a promise is never settled, or something waits without a timeout.",
			"It stopped answering and did not recover by itself."},
		{"SLOW", FaultCode,
			"It takes several times as long, or several times the CPU, as the reference on the same machine.",
			"It is clearly slower than a good solution on the same machine."},
		{"SLOW_SERIAL", FaultCode,
			"Independent operations are awaited one after another instead of together.",
			"It waits for one thing after another where it could ask for all at once, so people wait longer."},
		{"UNBOUNDED_CONCURRENCY", FaultCode,
			"More operations run at the same time than were allowed; nothing limits them.",
			"Under load it asks more of its partners than they can serve."},
	}
}

func loadCodes() []CodeDoc {
	return []CodeDoc{
		{"STAMPEDE", FaultCode,
			"Many requests for one missing key each load it; concurrent loads of a key are not shared.",
			"When a popular entry expires, everybody fetches it at once and the system behind is overrun."},
		{"N_PLUS_ONE", FaultCode,
			"The number of queries grows with the number of rows instead of being constant.",
			"The longer a list is, the more often it asks the database, so large customers see slow pages."},
		{"CONN_STORM", FaultCode,
			"Connections are opened for each request, or all at once after an outage, instead of being reused.",
			"It opens far too many connections, which can bring down the system behind it."},
		{"POOL_EXHAUSTED", FaultCode,
			"Every connection of the pool was held, and requests waited for one until they failed.",
			"Under load, requests fail because they wait for a database connection that does not come free."},
		{"GOODPUT_COLLAPSE", FaultCode,
			"Above its capacity the number of useful answers falls instead of staying level: excess work is not refused early.",
			"When more customers come than it can serve, it ends up serving hardly anyone."},
		{"DROPPED_IN_FLIGHT", FaultCode,
			"Requests that had been accepted were cut off when the process was told to stop.",
			"During an update of the service, some customers lose the request they had just sent."},
		{"NOT_DRAINED", FaultCode,
			"After the signal to stop it went on taking new work, or did not finish what it had in time.",
			"It does not shut down in an orderly way, so updates disturb customers."},
	}
}

func errorCodes() []CodeDoc {
	return []CodeDoc{
		{CodeCrash, FaultCode,
			"The process could not be started, or ended with an error code or a signal where it had to go on or succeed.",
			"The program stopped with an error instead of doing its work."},
		{"UNHANDLED", FaultCode,
			"A rejected promise or a thrown error was handled nowhere.",
			"Some failures are not dealt with at all and can stop the program."},
		{"ERROR_SWALLOWED", FaultCode,
			"An error was caught and dropped: the caller is told that all went well.",
			"Some failures are hidden, so nobody learns that something went wrong."},
		{"BAD_ERRORS", FaultCode,
			"Errors carry the wrong status or content, for example 500 for bad input, or no Retry-After when refusing.",
			"When something goes wrong, those who call it are told the wrong thing and cannot react properly."},
		{"NO_FALLBACK", FaultCode,
			"The failure of an optional part fails the whole answer instead of degrading it.",
			"When a minor part is down, the whole page is down."},
		{"ACK_TIMEOUT", FaultCode,
			"Receipt was confirmed too late, so the sender takes the message as lost and sends it again.",
			"It confirms messages too late, so partners send them again."},
	}
}

func retryCodes() []CodeDoc {
	return []CodeDoc{
		{"RETRY_STORM", FaultCode,
			"Retries multiply the calls to a part that is already failing.",
			"When a partner is in trouble, it makes things worse by asking again and again."},
		{"RETRY_UNSAFE", FaultCode,
			"An operation that is not idempotent was repeated without a key that makes it safe.",
			"After a failure it may do the same thing twice, for example charge twice."},
		{"NO_JITTER", FaultCode,
			"Retries come at the same moments from all clients; their delays are not randomised.",
			"After a failure all customers try again at the same moment, which causes the next failure."},
		{"NO_BACKOFF", FaultCode,
			"Retries follow each other without growing delays.",
			"After a failure it tries again at once and without pause."},
		{"NO_TIMEOUT", FaultCode,
			"A call to another system has no time limit, or one that does not cover the body.",
			"When a partner is slow, it waits with it for as long as that takes."},
		{"NO_BREAKER", FaultCode,
			"Calls to a part that is known to be down go on; no circuit breaker stops them.",
			"It keeps asking a partner that is down, so its own customers wait for nothing."},
	}
}

func securityCodes() []CodeDoc {
	return []CodeDoc{
		{"SQLI", FaultCode,
			"Input reaches an SQL statement as text: injection was possible.",
			"An attacker can read or change the database through an input field."},
		{"AUTH_BYPASS", FaultCode,
			"A request was served without valid credentials, or with those of somebody else.",
			"People can reach data that is not theirs."},
		{"REPLAY_ACCEPTED", FaultCode,
			"A signed message that had been used before, or was too old, was accepted again.",
			"An attacker who has seen a message can send it again with effect."},
		{"SIG_FALSE_REJECT", FaultCode,
			"Messages with a valid signature were refused, usually because parsed JSON was verified instead of the raw bytes.",
			"Genuine messages of partners are refused."},
		{"SECRET_LEAK", FaultCode,
			"A secret or personal data appears in logs, errors or answers.",
			"Passwords or personal data end up where they can be read by others."},
	}
}

func effectCodes() []CodeDoc {
	return []CodeDoc{
		{"DUPLICATE_EFFECT", FaultCode,
			"One request or message took effect more than once.",
			"Some things happen twice, for example a charge."},
		{"LOST_EFFECT", FaultCode,
			"Work that had been confirmed never took effect.",
			"Some things that were confirmed to the customer never happen."},
		{"OVERSELL", FaultCode,
			"More units were sold than there were: check and decrement are not one atomic step.",
			"It sells more than there is."},
		{"DOUBLE_ASSIGN", FaultCode,
			"One resource was given to two holders at the same time.",
			"Two customers are given the same thing, for example the same driver."},
	}
}

func moduleCodes() []CodeDoc {
	return []CodeDoc{
		{"NOT_ESM", FaultCode,
			"The package is not a true ES module: named exports are missing, or it is CommonJS in disguise.",
			"The move to the current module standard is not complete."},
		{"CJS_BROKEN", FaultCode,
			"Those who load the package with require() fail.",
			"Existing users of the package can no longer use it."},
		{"PATH_BREAK", FaultCode,
			"Files are found by the working directory instead of by the module's place.",
			"It only works when started from one particular folder."},
		{"TYPE_UNSOUND", FaultCode,
			"The types promise what the values do not hold, for example through any or a cast.",
			"The compiler's safety net has holes, so mistakes show only in production."},
		{"TYPE_SUPPRESSED", FaultCode,
			"Type errors are silenced with @ts-ignore or similar instead of solved.",
			"Warnings of the compiler were switched off instead of dealt with."},
		{"BOUNDARY_TRUST", FaultCode,
			"Data from outside is used without checking that it has the shape its type claims.",
			"Unexpected data from a partner goes unnoticed and causes damage later."},
	}
}

// limitCodes are those of limits that every submission has. Memory and time have codes among those above.
func limitCodes() []CodeDoc {
	return []CodeDoc{
		{CodeLimitCPU, FaultCode,
			"It used up the CPU time that one execution may take, over all its processes and threads, and was ended.",
			"It computed for longer than it was given and was stopped."},
		{CodeLimitProcesses, FaultCode,
			"It reached the limit of processes and threads, and the kernel refused to start more of them.",
			"It tried to start more helpers at a time than it was allowed."},
		{CodeLimitFiles, FaultCode,
			"A process reached its limit of open files and sockets: opening more of them fails with EMFILE.",
			"It held too many files or connections open at a time."},
		{CodeLimitDisk, FaultCode,
			"It filled the room that it has for files, in /tmp, /dev/shm, the output directory or the folder of the build.",
			"It wrote more data to disk than it was given room for."},
		{CodeLimitOutput, FaultCode,
			"It wrote more to stdout or stderr than is kept; the middle of it is missing in the evidence.",
			"It wrote so much text while it ran that part of it had to be dropped."},
	}
}

func specialCodes() []CodeDoc {
	return []CodeDoc{
		{CodeTamper, TamperCode,
			"What the process reported of itself contradicts what kernel and clock showed from outside; see the finding for the figures.",
			"Two independent measurements contradict each other, so a person has to look before anything is concluded."},
		{CodeInvalidRun, InvalidCode,
			"The machine or the harness was not steady enough in this grading, so it is not counted and has to be repeated.",
			"This grading could not be trusted and says nothing about the candidate."},
	}
}
