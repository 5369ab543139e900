// Package upstream plays the services that a submission depends on: HTTP/1.1 on loopback, answering by a script of rules (late, wrong, not at
// all, with a reset), with a log of every call by our own monotonic clock. What a submission does about failures (how often it asks again, after
// what time, how many connections it holds) is judged from this log alone; the submission's word is not asked for.
package upstream
