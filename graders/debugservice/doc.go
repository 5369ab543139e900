// Package debugservice judges a repaired service: whether it still does what it did, whether each cause of slowness is gone, how quick it is
// beside the reference, and whether the diagnosis that was handed in names the causes of its form. See contract.md.
package debugservice
