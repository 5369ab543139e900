// Package signs reads what the evidence of any submission has in common: how a process died, and whether what it says of itself
// contradicts what was measured from outside.
package signs
