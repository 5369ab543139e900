// Package intake takes in a submission: a directory, a .tar.gz or a .zip.
//
// Whatever it is, it is copied to a fresh directory of ours, so that nothing that happens to the original afterwards
// matters. Only regular files and directories are taken; everything that could reach outside, hide, or grow without
// bound is refused, with the entry's name, the rule and the limit. Then assay.json (or package.json) says how the
// submission is built and started.
package intake
