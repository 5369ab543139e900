// Package exactlyonce is the workload of the challenge queue-exactly-once: a consumer takes messages from a broker that gives some of them out
// twice, and changes rows of a database, each message once, while it is killed, its database stands still, and some messages are poison. What
// it asks and how it judges is in contract.md.
package exactlyonce
