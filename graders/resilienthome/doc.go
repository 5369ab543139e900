// Package resilienthome is the work and the judge of the resilient-home challenge: a page made from three services, of which some fail in a
// scripted way. What a submission does about it (how often it asks again and when, whom it leaves alone, what it holds open) is judged from the
// calls that reach the services, which are ours. The rules a submission is held to are in contract.md; the statistics behind the reason codes
// are in docs/resilience-statistics.md.
package resilienthome
