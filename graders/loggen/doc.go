// Package loggen makes the logs of the log-aggregate challenge, and says what the right answer for each is.
//
// A plain log is a sequence of blocks of about 1 MiB. Block i is made from ChaCha8(HMAC-SHA256(seed, "block"‖i)) and
// the profile of the seed alone: blocks are made in parallel, and any of them can be made again as a proof. The truth is
// the merge of what each block planted, so it is known by construction and no parser is involved. Oracle is the second,
// independent truth: a slow reader that follows contract.md of graders/logaggregate byte by byte.
//
// Anomalies makes the pack of small files with everything that goes wrong in real logs.
package loggen

// Version changes whenever the same seed would give other bytes. Cached data sets carry it in their key.
const Version = 1
