package pages

// Notice is what a page says was just done, after a redirect.
type Notice string

// The notices; each is a text.
const (
	NoticeSaved        Notice = "notice.saved"
	NoticePassword     Notice = "notice.password"
	NoticeNewPassword  Notice = "notice.newpassword"
	NoticeArchived     Notice = "notice.archived"
	NoticeUnarchived   Notice = "notice.unarchived"
	NoticeExtended     Notice = "notice.extended"
	NoticeDecided      Notice = "notice.decided"
	NoticeUndecided    Notice = "notice.undecided"
	NoticeGiven        Notice = "notice.given"
	NoticeRevoked      Notice = "notice.revoked"
	NoticeErased       Notice = "notice.erased"
	NoticeRegraded     Notice = "notice.regraded"
	NoticeCancelled    Notice = "notice.cancelled"
	NoticeAdded        Notice = "notice.added"
	NoticeRemoved      Notice = "notice.removed"
	NoticeRevokedToken Notice = "notice.revokedtoken"
	NoticeEndpointGone Notice = "notice.deletedendpoint"
	NoticeReplayed     Notice = "notice.replayed"
	NoticeMailed       Notice = "notice.mailed"
	NoticeHandedIn     Notice = "notice.handedin"
)

// Notices are all of them: what comes from an address must be one.
func Notices() []Notice {
	return []Notice{
		NoticeSaved, NoticePassword, NoticeNewPassword, NoticeArchived, NoticeUnarchived, NoticeExtended, NoticeDecided, NoticeUndecided, NoticeGiven, NoticeRevoked, NoticeErased,
		NoticeRegraded, NoticeCancelled, NoticeAdded, NoticeRemoved, NoticeRevokedToken, NoticeEndpointGone, NoticeReplayed, NoticeMailed, NoticeHandedIn,
	}
}
