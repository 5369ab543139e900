// Package surgepricing is the work and the judge of the surge-pricing-cpu challenge: a service that must go on answering cheap
// requests while it is given work that keeps a core busy. The rules a submission is held to are in contract.md.
package surgepricing
