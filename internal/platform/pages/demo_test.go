package pages

import (
	"html/template"
	"strconv"
	"time"

	"github.com/assay-run/assay/internal/platform"
)

var now = time.Date(2026, 11, 26, 9, 50, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return now.Add(-d) }
func after(d time.Duration) time.Time  { return now.Add(d) }

func team(section Section) Frame {
	return Frame{Now: now, Org: "Example Logistics", User: "Robin Example", Role: platform.Owner, Section: section}
}

func own() Frame { return Frame{Now: now, Org: "Example Logistics"} }

// variant is a page with something to show.
type variant struct {
	page  Name
	label string
	model any
}

const days = 24 * time.Hour

// demo is every page with typical data, those with several faces more than once.
func demo() []variant {
	out := []variant{
		{PageSetup, "", Setup{Frame: own(), NeedsCode: true}},
		{PageSetup, "wrong", Setup{Frame: own(), Form: Form{
			Values: map[string]string{"organisation": "Example Logistics", "email": "robin"},
			Errors: map[string]string{"email": "This is not an address: it needs the form name@example.org.", "password": "The password needs at least 12 characters."},
			Order:  []string{"code", "organisation", "name", "email", "password"}}}},
		{PageSignIn, "", SignIn{Frame: Frame{Now: now}, Passwords: true, Next: "/assessments/asm_1", Providers: []Provider{{"example", "Example SSO"}}}},
		{PageForgot, "", Forgot{Frame: Frame{Now: now}, Form: Form{Errors: map[string]string{"email": "An address is needed."}}}},
		{PageForgot, "sent", Forgot{Frame: Frame{Now: now}, Sent: true}},
		{PageSetPassword, "", SetPassword{Frame: Frame{Now: now}, Token: "assay_pwd_x", Form: Form{Errors: map[string]string{"password": "A password has 12 characters at least."}}}},
		{PageOrganisations, "", Organisations{Frame: Frame{Now: now, User: "Robin Example", Several: true}, Organisations: []Organisation{{"org_1", "Example Logistics", platform.Owner}, {"org_2", "Other Example", platform.Reviewer}}}},
		{PageAccount, "", Account{Frame: team(""), Email: "robin@example.org"}},
		{PageAccount, "wrong", Account{Frame: team(""), Email: "robin@example.org", Form: Form{Errors: map[string]string{"current": "This is not your present password."}}}},
		{PageHome, "", Home{Frame: team(SectionHome), More: "after=abc", Assessments: []AssessmentLine{
			{ID: "asm_1", Name: "Backend engineer, mid level", RoleTitle: "Backend engineer", Challenges: 3, Invited: 24, Working: 5, Grading: 2, ToReview: 11, Decided: 6, Deadline: after(8 * days)},
			{ID: "asm_2", Name: "Platform engineer, senior", RoleTitle: "Platform engineer", Challenges: 2, Invited: 4, ToReview: 1},
		}}},
		{PageHome, "empty", Home{Frame: team(SectionHome)}},
		{PageAssessment, "", demoAssessment()},
		{PageAssessmentForm, "", demoForm()},
		{PageInvite, "", Invite{Frame: team(SectionHome), AssessmentID: "asm_1", Assessment: "Backend engineer, mid level", Expires: after(30 * days), Links: []InviteLink{{"Ada Example", "ada@example.org", "https://assay.example.org/i/assay_inv_5pXk2vQyN0b3cT7dKfW9eLh1mRs4uVwZ8aBcDeFgHiJ"}}}},
		{PageInvite, "wrong", Invite{Frame: team(SectionHome), AssessmentID: "asm_1", Assessment: "Backend engineer, mid level", Expires: after(30 * days), Mailed: true, Read: 41, Lines: []LineError{{3, "email", "This is not an address: it needs the form name@example.org."}, {17, "extraPercent", "Extra time is from 0 to 300 percent."}}}},
		{PageCandidate, "", demoCandidate()},
		{PageCompare, "", demoCompare()},
		{PagePeople, "", People{Frame: team(SectionPeople), Members: []Member{
			{ID: "usr_1", Name: "Robin Example", Email: "robin@example.org", Role: platform.Owner, Self: true, Since: before(200 * days)},
			{ID: "usr_2", Name: "Kim Example", Email: "kim@example.org", Role: platform.Author, Since: before(90 * days)},
			{ID: "usr_3", Name: "Sam Example", Email: "sam@example.org", Role: platform.Reviewer, Locked: true, Since: before(3 * days)}}}},
		{PageTokens, "", Tokens{Frame: team(SectionTokens), Secret: "assay_api_5pXk2vQyN0b3cT7dKfW9eLh1mRs4uVwZ8aBcDeFgHiJ", Tokens: []Token{
			{ID: "tok_1", Name: "Applicant tracking", Scopes: []string{"invitations:write", "results:read"}, CreatedBy: "Robin Example", CreatedAt: before(40 * days), LastUsed: before(4 * time.Minute), ExpiresAt: after(300 * days)},
			{ID: "tok_2", Name: "Old script", Scopes: []string{"results:read"}, CreatedBy: "Kim Example", CreatedAt: before(80 * days), Revoked: true}}}},
		{PageWebhooks, "", demoWebhooks()},
		{PageAudit, "", Audit{Frame: team(SectionAudit), More: "after=x", Entries: []AuditLine{
			{At: before(5 * time.Minute), Kind: platform.ActorUser, Actor: "Kim Example", Action: "report.view", Subject: "sub_01kb3vy6", Name: "Candidate 18", Invitation: "inv_18", RequestID: "r-82fa"},
			{At: before(time.Hour), Kind: platform.ActorCandidate, Actor: "Candidate 18", Action: "submission.create", Subject: "sub_01kb3vy6", Detail: `{"bytes":48213}`, RequestID: "r-7c10"},
			{At: before(3 * time.Hour), Kind: platform.ActorSystem, Action: "retention.erase", Subject: "can_01ka", RequestID: "r-0001"}}}},
		{PageWorkers, "", Workers{Frame: team(SectionWorkers), Running: 2, Waiting: 5, Workers: []Worker{
			{Name: "grader-1", Version: "1.4.0", Slots: 2, Busy: 2, Started: before(3 * days), Seen: before(2 * time.Second), Jobs: []WorkerJob{
				{Candidate: "Candidate 11", Challenge: "Listing search", InvitationID: "inv_11", Kind: platform.JobFinal, Progress: "Third of five paired runs", Since: before(4 * time.Minute)}}},
			{Name: "grader-2", Version: "1.4.0", Slots: 1, Draining: true, Started: before(2 * days), Seen: before(8 * time.Second)},
			{Name: "grader-3", Version: "1.3.9", Slots: 2, Lost: true, Started: before(9 * days), Seen: before(26 * time.Minute)}}}},
		{PageWorkers, "empty", Workers{Frame: team(SectionWorkers)}},
	}
	out = append(out, demoOwn()...)
	for _, status := range []int{403, 404, 410, 429, 500} {
		e := Error{Frame: team(""), Status: status, RequestID: "r-82fa11"}
		if status == 410 {
			e.Frame, e.Candidate, e.Message = own(), true, "This invitation has expired. Ask the team that invited you for a new one."
		}
		if status == 429 {
			e.RetryIn = 40 * time.Second
		}
		out = append(out, variant{PageError, strconv.Itoa(status), e})
	}
	return out
}

func demoAssessment() Assessment {
	f := func(s, l, h float64) *Figure { return &Figure{s, l, h} }
	return Assessment{Frame: team(SectionHome), ID: "asm_1", Name: "Backend engineer, mid level", RoleTitle: "Backend engineer",
		Challenges: []ChallengeName{{"log-aggregate", "Log summary", 1, 75, 1}, {"export-backpressure", "Export stream", 1, 60, 1}, {"resilient-home", "Home page from three services", 2, 60, 2}},
		TimeLimit:  190 * time.Minute, Deadline: after(8 * days), PassMark: 65,
		Counts: []StageCount{{platform.StagePending, 3}, {platform.StageRunning, 5}, {platform.StageGrading, 2}, {platform.StageReview, 11}, {platform.StageDecided, 6}},
		Filter: CandidateFilter{Form{Values: map[string]string{"sort": "score"}}}, More: "after=x&sort=score",
		Rows: []CandidateRow{
			{InvitationID: "inv_18", AttemptID: "att_18", Name: "Candidate 18", Stage: platform.StageReview, Verdict: platform.Passed, Overall: f(82.3, 76.1, 88), Headline: "Survived every outage; memory flat on 1 GB", HandedIn: before(38 * time.Minute)},
			{InvitationID: "inv_7", AttemptID: "att_7", Name: "Candidate 7", Stage: platform.StageReview, Verdict: platform.Passed, Overall: f(78, 70, 85), Headline: "Fast search, retries without jitter", HandedIn: before(26 * time.Hour)},
			{InvitationID: "inv_21", AttemptID: "att_21", Name: "Candidate 21", Stage: platform.StageDecided, Verdict: platform.Below, Overall: f(64.7, 58, 69), Decision: platform.Reject, Headline: "Right results; the loop stops for 1.4 s", HandedIn: before(27 * time.Hour)},
			{InvitationID: "inv_3", AttemptID: "att_3", Name: "Candidate 3", Stage: platform.StageReview, Verdict: platform.Withheld, Headline: "The probe disagrees with the kernel", HandedIn: before(3 * days)},
			{InvitationID: "inv_11", AttemptID: "att_11", Name: "Candidate 11", Stage: platform.StageGrading, Graded: 2, Gradings: 3, HandedIn: before(10 * time.Minute)},
			{InvitationID: "inv_15", AttemptID: "att_15", Name: "Candidate 15", Stage: platform.StageGrading, Gradings: 3, Place: &Place{2, WaitTurn, 9 * time.Minute}, HandedIn: before(3 * time.Minute)},
			{InvitationID: "inv_9", AttemptID: "att_9", Name: "Candidate 9", Stage: platform.StageRunning, Left: 112 * time.Minute, HasLeft: true, ExtraPercent: 25},
			{InvitationID: "inv_30", Email: "c30@example.org", Stage: platform.StagePending, Expires: after(20 * days)}}}
}

func demoForm() AssessmentForm {
	return AssessmentForm{Frame: team(SectionHome), ID: "asm_1", Version: 3, Running: 5,
		Form: Form{Values: map[string]string{"name": "Backend engineer, mid level", "roleTitle": "Backend engineer", "mode": "standard", "timeLimit": "190", "attempts": "1", "passMark": "165", "visible": "report", "retentionDays": "90",
			"use.log-aggregate": "on", "weight.log-aggregate": "1", "message": "Hello,\nwe look forward to your work."},
			Errors: map[string]string{"passMark": "The pass mark is from 0 to 100."}},
		Modes: []ModeChoice{{"quick", "Practice run", false}, {"standard", "Official run", true}},
		Challenges: []ChallengeChoice{
			{"log-aggregate", "Summarise a 10 GB log", "Read a log that is larger than memory, exactly, and go on answering.", "mid", 1, 75, []string{"streams", "memory"}},
			{"surge-pricing-cpu", "Surge recalculation without freezing quotes", "Recalculate a city's prices, one core busy for seconds, while every customer goes on getting a quote at once.", "mid", 1, 60, []string{"event-loop", "api-design"}}}}
}

func demoCandidate() Candidate {
	return Candidate{Frame: team(SectionHome), InvitationID: "inv_21", AssessmentID: "asm_1", Assessment: "Backend engineer, mid level",
		Name: "Candidate 21", Email: "c21@example.org", Reference: "ATS-1041", Stage: platform.StageReview, Verdict: platform.Below,
		Overall: &Figure{61.2, 55, 67}, PassMark: 65, ExtraPercent: 25, EraseAfter: after(88 * days),
		MayDecide: true, MayExtend: true, MayErase: true, MayUndecide: true, MayGive: true, MayChange: true, MayRevoke: true, MayLink: true, HasLeft: true, Left: 12 * time.Minute, Ends: after(12 * time.Minute),
		Decision: &Decision{platform.Hold, "Event loop is weak, data access is strong. Ask in the interview.", "Kim Example", before(time.Hour)},
		Decide:   Form{Values: map[string]string{"outcome": "hold"}, Errors: map[string]string{"reason": "A decision needs a reason."}},
		Challenges: []CandidateChallenge{
			{"Summarise a 10 GB log", "sub_1", platform.Passed, &Figure{74, 68, 80}, 65, "Exact on every line, and memory stays flat.", nil, true, true},
			{"Surge recalculation without freezing quotes", "sub_2", platform.Below, &Figure{41, 33, 47}, 65, "The prices are right, but everyone waits while they are recalculated.", []string{"LOOP_BLOCKED", "UNBOUNDED_CONCURRENCY"}, true, true},
			{Title: "Home page from three services", PassMark: 65}},
		Submissions: []Submission{
			{ID: "sub_2", Challenge: "Surge recalculation without freezing quotes", Kind: platform.Final, At: before(2 * time.Hour), Files: 12, Bytes: 48213, State: platform.JobGraded, Figure: &Figure{41, 33, 47}, HasReport: true, Share: -1},
			{ID: "sub_4", Challenge: "Home page from three services", Kind: platform.DryRun, At: before(3 * time.Hour), Files: 9, Bytes: 21000, State: platform.JobQueued, Place: &Place{3, WaitTurn, 6 * time.Minute}, Share: -1, MayCancel: true},
			{ID: "sub_5", Challenge: "Home page from three services", Kind: platform.DryRun, At: before(3 * time.Hour), Problem: "There is no assay.json at the top of the archive.", Share: -1}},
		Timeline: []TimelineEntry{
			{At: before(3 * days), Key: HappenedInvited, By: "Kim Example"}, {At: before(26 * time.Hour), Key: HappenedOpened}, {At: before(5 * time.Hour), Key: HappenedStarted},
			{At: before(4 * time.Hour), Key: HappenedExtended, By: "Robin Example", Detail: "30 min: the network was down"}, {At: before(2 * time.Hour), Key: HappenedFinal, Detail: "Surge recalculation without freezing quotes"}, {At: before(100 * time.Minute), Key: HappenedGraded}, {At: before(time.Hour), Key: HappenedDecided, By: "Kim Example", Detail: "hold", Reason: "Event loop is weak, data access is strong. Ask in the interview."}}}
}

func demoCompare() Compare {
	f := func(s, l, h float64) *Figure { return &Figure{s, l, h} }
	return Compare{Frame: team(SectionHome), AssessmentID: "asm_1", Assessment: "Backend engineer, mid level", PassMark: 65,
		Candidates: []Compared{{"inv_18", "Candidate 18", f(82.3, 76, 88), platform.Passed}, {"inv_7", "Candidate 7", f(78, 70, 85), platform.Passed}, {"inv_3", "Candidate 3", nil, platform.Withheld}},
		Skills: []ComparedRow{
			{"Memory and streams", 0, []*Figure{f(88, 82, 94), f(83, 74, 90), f(74, 66, 82)}, false},
			{"Event loop", 0, []*Figure{f(87, 80, 94), f(80, 72, 86), f(16, 12, 22)}, true}},
		Challenges: []ComparedChallenge{{"Surge recalculation without freezing quotes", 1, []ComparedRow{
			{"Quotes and checksums are right", 20, []*Figure{f(100, 100, 100), f(100, 100, 100), f(100, 95, 100)}, false},
			{"The service answers while it recalculates", 25, []*Figure{f(92, 85, 97), f(76, 70, 82), nil}, true}}}},
		LeftOut: []string{"Candidate 9"}}
}

func demoWebhooks() Webhooks {
	return Webhooks{Frame: team(SectionWebhooks), Chosen: []string{"attempt.graded"}, Form: Form{Values: map[string]string{"url": "http://x"}, Errors: map[string]string{"url": "The address must begin with https."}},
		Endpoints: []Endpoint{{"whe_1", "https://ats.example.org/hooks/assay", []string{"attempt.graded", "attempt.decided"}, false}, {"whe_2", "https://old.example.org/hook", []string{"invitation.created"}, true}},
		Deliveries: []Delivery{
			{ID: "whd_1", EventID: "evt_01kb3vy6", Endpoint: "https://ats.example.org/hooks/assay", Type: "attempt.graded", State: platform.SendDone, Tries: 1, Status: 204, At: before(9 * time.Minute)},
			{ID: "whd_2", EventID: "evt_01kb3vx1", Endpoint: "https://ats.example.org/hooks/assay", Type: "attempt.graded", State: platform.SendPending, Tries: 3, Status: 503, Problem: "service unavailable", At: before(40 * time.Minute), NextAt: after(20 * time.Minute)},
			{ID: "whd_3", EventID: "evt_01kb3vw0", Endpoint: "https://old.example.org/hook", Type: "invitation.created", State: platform.SendFailed, Tries: 8, Problem: "connection refused", At: before(2 * days)}}}
}

func demoOwn() []variant {
	work := demoWork()
	over := work
	over.Form = Form{Errors: map[string]string{"archive": "There is no assay.json at the top of the archive. It must stand beside package.json."}}
	over.Clock = Countdown{Ends: after(9 * time.Minute), Paused: true, Limit: 190 * time.Minute}
	over.Submissions, over.Waiting = nil, false
	over.Tasks = work.Tasks[:1]
	done := work
	done.Tasks = []Task{{"log-aggregate", "Summarise a 10 GB log", 75, true}}
	done.Task.HandedIn, done.Submissions, done.Waiting = before(time.Minute), nil, false
	base := Result{Frame: own(), InvitationID: "inv_9", Assessment: "Backend engineer, mid level", PassMark: 65}
	grading, score, nothing, expired := base, base, base, base
	grading.State, grading.Visible, grading.Waiting = platform.AttemptGrading, platform.SeesReport, true
	grading.Submissions = []Submission{{ID: "sub_9", Kind: platform.Final, At: before(3 * time.Minute), State: platform.JobQueued, Place: &Place{0, WaitWorkers, 0}, Share: -1}}
	score.State, score.Visible, score.Verdict, score.Overall = platform.AttemptReview, platform.SeesScore, platform.Below, &Figure{64.7, 58, 69}
	score.EraseAfter, score.AttemptsLeft = after(90*days), 1
	nothing.State, nothing.Visible, nothing.EraseAfter = platform.AttemptDecided, platform.SeesNothing, after(90*days)
	expired.State, expired.Visible = platform.AttemptExpired, platform.SeesReport
	return []variant{
		{PageInvitation, "", Invitation{Frame: own(), InvitationID: "inv_9", Assessment: "Backend engineer, mid level", RoleTitle: "Backend engineer, fleet team", Candidate: "Ada Example",
			Message: "We are glad you take the time.\n\nTake a quiet afternoon, and ask us anything.\nRobin", TimeLimit: 237 * time.Minute, ExtraPercent: 25, Deadline: after(8 * days), Expires: after(20 * days), Attempts: 1, PassMark: 65,
			Visible: platform.SeesReport, RetentionDays: 90, Contact: "robin@example.org",
			Challenges: []InvitedChallenge{{"Summarise a 10 GB log", "Read a log that is larger than memory, exactly, and go on answering.", "mid", 75, []string{"streams", "memory"}},
				{"Surge recalculation without freezing quotes", "Recalculate a city's prices while every customer goes on getting a quote at once.", "mid", 60, []string{"event-loop"}}}}},
		{PageWork, "", work}, {PageWork, "refused", over}, {PageWork, "done", done},
		{PageResult, "grading", grading}, {PageResult, "score", score}, {PageResult, "nothing", nothing}, {PageResult, "expired", expired},
		{PageWithdraw, "", Withdraw{Frame: own(), InvitationID: "inv_9", Assessment: "Backend engineer, mid level", Running: true, RetentionDays: 90, Form: Form{Errors: map[string]string{"sure": "Tick this to withdraw."}}}},
		{PageWithdraw, "ended", Withdraw{Frame: own(), InvitationID: "inv_9", Ended: true}},
		{PageGoodbye, "withdrawn", Goodbye{Frame: own(), Assessment: "Backend engineer, mid level", KeptUntil: after(90 * days)}},
		{PageGoodbye, "erased", Goodbye{Frame: own(), Erased: true}},
	}
}

func demoWork() Work {
	return Work{Frame: own(), InvitationID: "inv_9", Assessment: "Backend engineer, mid level", Candidate: "Ada Example",
		Tasks: []Task{{"log-aggregate", "Summarise a 10 GB log", 75, false}, {"surge-pricing-cpu", "Surge recalculation", 60, true}, {"resilient-home", "Home page from three services", 60, false}},
		Task: TaskMatter{ID: "log-aggregate", Title: "Summarise a 10 GB log", Summary: "Your program reads a log that is larger than its memory and writes a summary. It must be exact, keep its memory flat, and keep answering /progress while it works.", Minutes: 75, Version: 1,
			Brief: template.HTML("<h3>What it gets</h3><p>A file of one line a request. <code>node main.mjs access.log</code></p><pre>10.0.0.1 GET /x 200</pre>"), MaxBytes: 20 << 20},
		Clock: Countdown{Ends: after(161 * time.Minute), Limit: 190 * time.Minute, Extended: 30 * time.Minute}, Server: "https://assay.example.org",
		Tools: []Tool{{"linux-amd64", "Linux, x86-64", 21 << 20}, {"darwin-arm64", "macOS, Apple silicon", 20 << 20}},
		Submissions: []Submission{
			{ID: "sub_3", Kind: platform.DryRun, At: before(40 * time.Second), State: platform.JobQueued, Place: &Place{2, WaitTurn, 3 * time.Minute}, Share: -1, MayCancel: true},
			{ID: "sub_2", Kind: platform.DryRun, At: before(9 * time.Minute), State: platform.JobRunning, Progress: "Third of five phases: lines of 300 MB, characters across chunks", Share: 55, MayCancel: true, Notes: []string{"node_modules was left out: it is installed again."}},
			{ID: "sub_1", Kind: platform.DryRun, At: before(50 * time.Minute), State: platform.JobGraded, Figure: &Figure{58, 40, 74}, PassMark: 65, Headline: "Right on every line, but memory grows with the file.", HasReport: true, Share: -1},
			{ID: "sub_0", Kind: platform.DryRun, At: before(80 * time.Minute), Problem: "There is no assay.json at the top of the archive.", Share: -1}},
		Draft: Draft{Body: "Next I would spill to disk.", Revision: 4, SavedAt: before(2 * time.Minute)}, Waiting: true}
}
