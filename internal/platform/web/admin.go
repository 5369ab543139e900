package web

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/pages"
	"github.com/assay-run/assay/internal/platform/service"
)

func (s *Web) showPeople(v *visit) error { return s.peoplePage(v, http.StatusOK, pages.Form{}) }

func (s *Web) peoplePage(v *visit, status int, f pages.Form) error {
	if err := s.needs(v, service.AddMember); err != nil {
		return err
	}
	v.frame.Section = pages.SectionPeople
	members, err := s.service.Members(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	if f.Values["organisation"] == "" && f.Errors["organisation"] == "" {
		org, err := s.service.Organization(v.r.Context(), v.actor)
		if err != nil {
			return err
		}
		values := maps.Clone(f.Values)
		if values == nil {
			values = map[string]string{}
		}
		values["organisation"], values["retentionDays"] = org.Name, strconv.Itoa(org.RetentionDays)
		f.Values = values
	}
	model := pages.People{Frame: v.frame, Form: f}
	for _, m := range members {
		model.Members = append(model.Members, pages.Member{
			ID: string(m.User.ID), Name: m.User.Name, Email: m.User.Email, Role: m.Role, Self: m.User.ID == v.actor.Identity().ID,
			Disabled: !m.User.DisabledAt.IsZero(), Locked: m.User.LockedUntil.After(v.frame.Now), Since: m.CreatedAt,
		})
	}
	return s.render(v.w, status, pages.PagePeople, model)
}

func (s *Web) addPerson(v *visit) error {
	f, err := readForm(v.r, "name", "email", "role")
	if err != nil {
		return err
	}
	role := platform.Role(f.Values["role"])
	if !role.Valid() {
		return s.peoplePage(v, fail(&f, "role", "Choose a role."), f)
	}
	if _, err := s.service.AddMember(v.r.Context(), v.actor, f.Values["email"], f.Values["name"], role); err != nil {
		status, err := wrong(&f, err, nil)
		if err != nil {
			return err
		}
		return s.peoplePage(v, status, f)
	}
	return goToWith(v.w, v.r, pages.NoticeAdded, "people")
}

func (s *Web) backToPeople(v *visit) error { return goTo(v.w, v.r, "people") }

// changeOrganisation changes its name, and how long new assessments keep data.
func (s *Web) changeOrganisation(v *visit) error {
	if err := s.needs(v, service.ChangeOrganization); err != nil {
		return err
	}
	f, err := readForm(v.r, "organisation", "retentionDays")
	if err != nil {
		return err
	}
	days := wholeNumber(&f, "retentionDays")
	if len(f.Errors) > 0 {
		return s.peoplePage(v, http.StatusUnprocessableEntity, f)
	}
	if err := s.service.ChangeOrganization(v.r.Context(), v.actor, f.Values["organisation"], days); err != nil {
		status, err := wrong(&f, err, map[string]string{"name": "organisation"})
		if err != nil {
			return err
		}
		return s.peoplePage(v, status, f)
	}
	return goToWith(v.w, v.r, pages.NoticeSaved, "people")
}

// changePerson changes a role or removes somebody.
func (s *Web) changePerson(v *visit) error {
	id, err := v.id("user", platform.KindUser)
	if err != nil {
		return err
	}
	if err := s.needs(v, service.ChangeMember); err != nil {
		return err
	}
	f, err := readForm(v.r)
	if err != nil {
		return err
	}
	done := pages.NoticeSaved
	if f.Values["remove"] == "on" {
		done = pages.NoticeRemoved
		err = s.service.RemoveMember(v.r.Context(), v.actor, id)
	} else {
		role := platform.Role(f.Values["role"])
		if !role.Valid() {
			return platform.Errorf(platform.Invalid, "Choose a role.")
		}
		err = s.service.ChangeMember(v.r.Context(), v.actor, id, role)
	}
	if err != nil {
		return err
	}
	return goToWith(v.w, v.r, done, "people")
}

func (s *Web) showTokens(v *visit) error {
	return s.tokensPage(v, http.StatusOK, pages.Form{}, nil, "")
}

func (s *Web) tokensPage(v *visit, status int, f pages.Form, chosen []string, secret string) error {
	v.frame.Section = pages.SectionTokens
	all, err := s.service.Tokens(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	names, err := s.teamNames(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	model := pages.Tokens{Frame: v.frame, Form: f, Chosen: chosen, Secret: secret}
	for _, t := range all {
		line := pages.Token{
			ID: string(t.ID), Name: t.Name, CreatedBy: person{names: names}.name(t.CreatedBy), CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt,
			LastUsed: t.LastUsedAt, Revoked: !t.RevokedAt.IsZero(), Expired: !t.ExpiresAt.IsZero() && !v.frame.Now.Before(t.ExpiresAt),
		}
		for _, scope := range t.Scopes {
			line.Scopes = append(line.Scopes, string(scope))
		}
		model.Tokens = append(model.Tokens, line)
	}
	return s.render(v.w, status, pages.PageTokens, model)
}

// tokenDays is how long a token lasts unless its maker says something else.
const tokenDays = 90

func (s *Web) createToken(v *visit) error {
	f, err := readForm(v.r, "name", "scope", "expires")
	if err != nil {
		return err
	}
	chosen := many(v.r, "scope")
	days := wholeNumber(&f, "expires")
	if days == 0 {
		days = tokenDays
	}
	if len(f.Errors) == 0 && (days < 1 || days > service.MaxTokenDays) {
		fail(&f, "expires", "A token lasts from 1 to 366 days.")
	}
	if len(f.Errors) > 0 {
		return s.tokensPage(v, http.StatusUnprocessableEntity, f, chosen, "")
	}
	var scopes []platform.Scope
	for _, c := range chosen {
		scopes = append(scopes, platform.Scope(c))
	}
	_, secret, err := s.service.CreateToken(v.r.Context(), v.actor, f.Values["name"], scopes, v.frame.Now.Add(time.Duration(days)*24*time.Hour))
	if err != nil {
		status, err := wrong(&f, err, map[string]string{"scopes": "scope", "expiresAt": "expires"})
		if err != nil {
			return err
		}
		return s.tokensPage(v, status, f, chosen, "")
	}
	return s.tokensPage(v, http.StatusOK, pages.Form{}, nil, secret)
}

func (s *Web) revokeToken(v *visit) error {
	id, err := v.id("token", platform.KindToken)
	if err != nil {
		return err
	}
	if err := s.service.RevokeToken(v.r.Context(), v.actor, id); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeRevokedToken, "tokens")
}

func (s *Web) showWebhooks(v *visit) error {
	return s.webhooksPage(v, http.StatusOK, pages.Form{}, nil, "")
}

// deliveriesEach is how many deliveries of each endpoint the page has.
const deliveriesEach = 20

func (s *Web) webhooksPage(v *visit, status int, f pages.Form, chosen []string, secret string) error {
	v.frame.Section = pages.SectionWebhooks
	endpoints, err := s.service.Endpoints(v.r.Context(), v.actor)
	if err != nil {
		return err
	}
	model := pages.Webhooks{Frame: v.frame, Form: f, Chosen: chosen, Secret: secret}
	for _, e := range endpoints {
		line := pages.Endpoint{ID: string(e.ID), URL: e.URL, Disabled: !e.DisabledAt.IsZero()}
		for _, event := range e.Events {
			line.Events = append(line.Events, string(event))
		}
		model.Endpoints = append(model.Endpoints, line)
		sent, err := s.service.Deliveries(v.r.Context(), v.actor, e.ID, platform.Page{Limit: deliveriesEach})
		if err != nil {
			return err
		}
		for _, d := range sent.Items {
			model.Deliveries = append(model.Deliveries, pages.Delivery{
				ID: string(d.ID), EventID: string(d.EventID), Endpoint: e.URL, Type: string(d.Type), State: d.State, Tries: d.Tries,
				Status: d.LastStatus, Problem: d.LastError, At: d.CreatedAt, NextAt: d.NextAt,
			})
		}
	}
	slices.SortStableFunc(model.Deliveries, func(a, b pages.Delivery) int { return b.At.Compare(a.At) })
	return s.render(v.w, status, pages.PageWebhooks, model)
}

func (s *Web) createEndpoint(v *visit) error {
	f, err := readForm(v.r, "url", "event")
	if err != nil {
		return err
	}
	chosen := many(v.r, "event")
	var events []platform.EventType
	for _, c := range chosen {
		events = append(events, platform.EventType(c))
	}
	_, secret, err := s.service.CreateEndpoint(v.r.Context(), v.actor, f.Values["url"], events)
	if err != nil {
		status, err := wrong(&f, err, map[string]string{"events": "event"})
		if err != nil {
			return err
		}
		return s.webhooksPage(v, status, f, chosen, "")
	}
	return s.webhooksPage(v, http.StatusOK, pages.Form{}, nil, secret)
}

func (s *Web) enableEndpoint(v *visit) error {
	id, err := v.id("endpoint", platform.KindEndpoint)
	if err != nil {
		return err
	}
	f, err := readForm(v.r)
	if err != nil {
		return err
	}
	if f.Values["delete"] == "on" {
		if err := s.service.DeleteEndpoint(v.r.Context(), v.actor, id); err != nil {
			return err
		}
		return goToWith(v.w, v.r, pages.NoticeEndpointGone, "webhooks")
	}
	if err := s.service.EnableEndpoint(v.r.Context(), v.actor, id, f.Values["disabled"] == "off"); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeSaved, "webhooks")
}

func (s *Web) replay(v *visit) error {
	id, err := v.id("delivery", platform.KindDelivery)
	if err != nil {
		return err
	}
	if _, err := s.service.Replay(v.r.Context(), v.actor, id); err != nil {
		return err
	}
	return goToWith(v.w, v.r, pages.NoticeReplayed, "webhooks")
}
