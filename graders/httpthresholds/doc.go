// Package httpthresholds is the work and the judge of services that must stand a load: requests at fixed rates, whatever becomes of those
// before them, with their latencies as metrics for the criteria of a challenge. Its reference runs beside it, so that thresholds can be
// ratios.
package httpthresholds
