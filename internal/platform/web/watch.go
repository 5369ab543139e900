package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
)

// Bounds of a look into the audit log that is narrowed by what the store cannot narrow by.
const (
	auditPage  = 50
	auditReads = 10 // pages of platform.MaxPage that are read for it
)

func (s *Web) showAudit(v *visit) error {
	v.frame.Section = pages.SectionAudit
	f, err := readQuery(v.r, "actor", "action", "subject")
	if err != nil {
		return err
	}
	names, err := s.teamNames(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	model := pages.Audit{Frame: v.frame, Filter: f}
	status := http.StatusOK
	ask := v.after(platform.MaxPage)
	for range auditReads {
		list, err := s.service.AuditLog(v.r.Context(), v.actor, platform.ID(strings.TrimSpace(f.Values["subject"])), ask)
		if err != nil {
			if status, err = wrong(&model.Filter, err, nil); err != nil {
				return err
			}
			break
		}
		for _, e := range list.Items {
			line := auditLine(e, names)
			if !fits(line, f) {
				continue
			}
			if len(model.Entries) == auditPage {
				break
			}
			model.Entries = append(model.Entries, line)
			ask.After = platform.Mark{At: e.At, ID: e.ID}.Encode()
		}
		if len(model.Entries) == auditPage {
			model.More = more(ask.After, f.Values)
			break
		}
		model.More = more(list.Next, f.Values)
		if ask.After = list.Next; ask.After == "" {
			break
		}
	}
	if err := s.nameSubjects(v, model.Entries); err != nil {
		return err
	}
	return s.render(v.w, status, pages.PageAudit, model)
}

// nameSubjects says what lines are about in words, and which candidates have acted.
func (s *Web) nameSubjects(v *visit, lines []pages.AuditLine) error {
	var ids []platform.ID
	for _, l := range lines {
		ids = append(ids, platform.ID(l.Subject), platform.ID(l.Actor))
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := s.service.Subjects(v.r.Context(), v.actor, ids)
	if err != nil {
		return err
	}
	for i := range lines {
		l := &lines[i]
		if who := known[platform.ID(l.Actor)]; who.Name != "" {
			l.Actor = who.Name
		}
		of := known[platform.ID(l.Subject)]
		l.Name, l.Invitation = of.Name, string(of.Invitation)
		if of.ID.Is(platform.KindAssessment) {
			l.Assessment = l.Subject
		}
	}
	return nil
}

func auditLine(e platform.AuditEntry, names map[platform.ID]string) pages.AuditLine {
	return pages.AuditLine{
		At: e.At, Kind: e.Actor.Kind, Actor: person{names: names}.name(e.Actor.ID), Action: e.Action, Subject: string(e.Subject), Detail: e.Detail,
		RequestID: e.RequestID,
	}
}

// fits says whether a line has what the filter asks for, in part and in any case.
func fits(line pages.AuditLine, f pages.Form) bool {
	has := func(text, part string) bool {
		return strings.Contains(strings.ToLower(text), strings.ToLower(strings.TrimSpace(part)))
	}
	return has(line.Actor+" "+string(line.Kind), f.Values["actor"]) && has(line.Action, f.Values["action"])
}

// Bounds of the page of workers.
const (
	lostAfter   = time.Minute
	queueReads  = 10 // pages of platform.MaxPage that are counted
	namedOnPage = 50 // gradings that are shown with their candidate
)

func (s *Web) showWorkers(v *visit) error {
	v.frame.Section = pages.SectionWorkers
	model := pages.Workers{Frame: v.frame}
	running := map[platform.ID]platform.Job{}
	ask := platform.Page{Limit: platform.MaxPage}
	var workers []platform.Worker
	for range queueReads {
		queue, err := s.service.Queue(v.r.Context(), v.actor, ask)
		if err != nil {
			return err
		}
		workers = queue.Workers
		for _, j := range queue.Jobs.Items {
			if j.State.Waiting() {
				model.Waiting++
				continue
			}
			model.Running++
			running[j.ID] = j
		}
		if ask.After = queue.Jobs.Next; ask.After == "" {
			break
		}
	}
	named := 0
	for _, w := range workers {
		line := pages.Worker{
			Name: w.Name, Version: w.Version, Slots: w.Slots, Busy: w.Busy, Draining: w.Draining, Lost: v.frame.Now.Sub(w.LastSeen) > lostAfter,
			Started: w.StartedAt, Seen: w.LastSeen,
		}
		for _, id := range slices.Sorted(slices.Values(w.Jobs)) {
			j, ok := running[id]
			if !ok || named == namedOnPage {
				continue
			}
			named++
			t, err := s.service.Attempt(v.r.Context(), v.actor, j.AttemptID)
			if platform.ErrorCode(err) == platform.NotFound {
				continue // erased at this moment
			}
			if err != nil {
				return err
			}
			line.Jobs = append(line.Jobs, pages.WorkerJob{
				Candidate: display(t.Candidate), Challenge: s.challenge(j.ChallengeID).Title, InvitationID: string(t.Invitation.ID), Kind: j.Kind,
				Progress: j.Progress, Since: j.StartedAt,
			})
		}
		model.Workers = append(model.Workers, line)
	}
	return s.render(v.w, http.StatusOK, pages.PageWorkers, model)
}
