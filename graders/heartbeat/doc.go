// Package heartbeat looks at the event loop of a submission from outside: an open loop of small requests on a fixed
// schedule, over connections of its own, with every latency taken from the moment the request was due.
//
// A client that waits for one answer before it sends the next request misses a stall almost entirely (coordinated
// omission): in 500 ms it would have sent fifty requests and counts one. Here all fifty count, the last of them with 10 ms.
//
// A beat can end in three ways. It is answered: its latency runs from when it was due to its answer. It fails (refused,
// reset, wrong answer): a user would ask again, so its latency runs to the next good answer. It is still open at the
// end: its latency runs to the end.
//
// Until the first good answer the program is starting, and one connection at a time knocks instead of the whole schedule.
// Start-up is reported apart and is free for the time of Options.Grace; what a program needs beyond that counts as a
// stall, so that working first and listening afterwards does not look responsive.
package heartbeat
