// Package latency has what instruments that measure latencies share: exact quantiles, and what the machine added by keeping a sender of
// ours, or the submission, from running. All times are since the start of a schedule.
package latency
