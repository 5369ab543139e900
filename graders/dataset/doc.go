// Package dataset keeps generated input files between gradings, within a bound of disk space.
//
// Layout below the cache directory:
//
//	data/KEY/files/   what is mounted into pods, and nothing else
//	truth/KEY.json    what is expected, mode 0600 in a directory of mode 0700; its presence says that the set is complete
//	locks/KEY.lock    flock: shared by those who use the set, exclusive to make or remove it
//
// Sets are made beside their place and renamed, so a crash leaves nothing that looks complete. Several processes may share a
// cache directory on a local file system.
package dataset
