package api

import (
	"context"
	"net/http"
	"time"

	"github.com/assay-run/assay/internal/platform"
	"github.com/assay-run/assay/internal/platform/service"
)

// organization is a hiring team.
type organization struct {
	ID            platform.OrgID `json:"id"`
	Name          string         `json:"name"`
	RetentionDays int            `json:"retentionDays" doc:"What new assessments are offered."`
	CreatedAt     time.Time      `json:"createdAt"`
}

func toOrganization(o platform.Organization) organization {
	return organization{ID: o.ID, Name: o.Name, RetentionDays: o.RetentionDays, CreatedAt: o.CreatedAt}
}

// member is somebody of a hiring team.
type member struct {
	ID         platform.ID   `json:"id" doc:"Of the user."`
	Name       string        `json:"name"`
	Email      string        `json:"email"`
	Role       platform.Role `json:"role" enum:"owner,author,reviewer"`
	Since      time.Time     `json:"since"`
	DisabledAt *time.Time    `json:"disabledAt,omitempty" doc:"The account cannot sign in since then."`
}

func toMember(m platform.Membership) member {
	return member{ID: m.User.ID, Name: m.User.Name, Email: m.User.Email, Role: m.Role, Since: m.CreatedAt, DisabledAt: at(m.User.DisabledAt)}
}

const tagOrganization = "Organisation"

func (a *API) organization() {
	add(a, route{
		id: "get-organization", method: http.MethodGet, path: "/organization", use: service.ReadOrganization, tag: tagOrganization,
		summary: "Read the organisation",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Plain[organization], error) {
		out, err := a.service.Organization(ctx, actor)
		return &Plain[organization]{Body: toOrganization(out)}, err
	})
	add(a, route{
		id: "change-organization", method: http.MethodPut, path: "/organization", use: service.ChangeOrganization, tag: tagOrganization,
		summary: "Change the organisation's name, and how long new assessments keep data",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Body struct {
			Name          string `json:"name"`
			RetentionDays int    `json:"retentionDays"`
		}
	}) (*Nothing, error) {
		return &Nothing{}, a.service.ChangeOrganization(ctx, actor, in.Body.Name, in.Body.RetentionDays)
	})
}

func (a *API) members() {
	add(a, route{
		id: "list-members", method: http.MethodGet, path: "/members", use: service.ListMembers, tag: tagOrganization, summary: "List the members, by name",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Plain[Page[member]], error) {
		all, err := a.service.Members(ctx, actor)
		return &Plain[Page[member]]{Body: Page[member]{Items: each(all, toMember)}}, err
	})
	add(a, route{
		id: "add-member", method: http.MethodPost, path: "/members", use: service.AddMember, tag: tagOrganization, status: http.StatusCreated,
		summary: "Add a member", detail: "Who has no account yet gets one, and a mail with a link that sets the password. Owners are made in the browser.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		Body struct {
			Name  string        `json:"name,omitempty"`
			Email string        `json:"email"`
			Role  platform.Role `json:"role" enum:"author,reviewer"`
		}
	}) (*Answered[member], error) {
		return once(ctx, a, "add-member", in.Keyed, in, func(ctx context.Context) (member, error) {
			out, err := a.service.AddMember(ctx, actor, in.Body.Email, in.Body.Name, in.Body.Role)
			return toMember(out), err
		})
	})
	add(a, route{
		id: "change-member", method: http.MethodPut, path: "/members/{id}/role", use: service.ChangeMember, tag: tagOrganization,
		summary: "Change a member's role", detail: "It holds at once. Owners are made and changed in the browser.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		ByID
		Body struct {
			Role platform.Role `json:"role" enum:"author,reviewer"`
		}
	}) (*Nothing, error) {
		return &Nothing{}, a.service.ChangeMember(ctx, actor, in.ID, in.Body.Role)
	})
	add(a, route{
		id: "remove-member", method: http.MethodDelete, path: "/members/{id}", use: service.RemoveMember, tag: tagOrganization,
		summary: "Take somebody out of the organisation", detail: "At once. Owners are removed in the browser.",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*Nothing, error) {
		return &Nothing{}, a.service.RemoveMember(ctx, actor, in.ID)
	})
}

// apiToken is an API token without its secret.
type apiToken struct {
	ID         platform.ID      `json:"id"`
	Name       string           `json:"name"`
	Scopes     []platform.Scope `json:"scopes" nullable:"false"`
	CreatedBy  platform.ID      `json:"createdBy" doc:"A user, or a token."`
	CreatedAt  time.Time        `json:"createdAt"`
	ExpiresAt  *time.Time       `json:"expiresAt,omitempty"`
	LastUsedAt *time.Time       `json:"lastUsedAt,omitempty" doc:"To a minute."`
	RevokedAt  *time.Time       `json:"revokedAt,omitempty"`
}

func toToken(t platform.APIToken) apiToken {
	return apiToken{
		ID: t.ID, Name: t.Name, Scopes: append([]platform.Scope{}, t.Scopes...), CreatedBy: t.CreatedBy, CreatedAt: t.CreatedAt, ExpiresAt: at(t.ExpiresAt),
		LastUsedAt: at(t.LastUsedAt), RevokedAt: at(t.RevokedAt),
	}
}

// newToken is an API token with its secret.
type newToken struct {
	Token  apiToken `json:"token"`
	Secret string   `json:"secret" doc:"Goes with requests; shown once."`
}

const tagTokens = "Tokens"

func (a *API) tokens() {
	add(a, route{
		id: "list-tokens", method: http.MethodGet, path: "/tokens", use: service.ListTokens, tag: tagTokens,
		summary: "List API tokens, the newest first", detail: "Those that were revoked or have expired too.",
	}, func(ctx context.Context, actor service.Actor, _ *Nothing) (*Plain[Page[apiToken]], error) {
		all, err := a.service.Tokens(ctx, actor)
		return &Plain[Page[apiToken]]{Body: Page[apiToken]{Items: each(all, toToken)}}, err
	})
	add(a, route{
		id: "create-token", method: http.MethodPost, path: "/tokens", use: service.CreateToken, tag: tagTokens, status: http.StatusCreated,
		summary: "Create an API token",
		detail:  "Its secret is shown once. It may do no more than the token that makes it, and lasts no longer; within 366 days it ends at any rate.",
	}, func(ctx context.Context, actor service.Actor, in *struct {
		Keyed
		Body struct {
			Name      string           `json:"name" doc:"For whom it is."`
			Scopes    []platform.Scope `json:"scopes" nullable:"false" minItems:"1" enum:"assessments:read,assessments:write,invitations:read,invitations:write,results:read,decisions:write,webhooks:write,candidates:erase,candidates:export,queue:read,audit:read,organization:read,organization:write,tokens:write"`
			ExpiresAt time.Time        `json:"expiresAt"`
		}
	}) (*Answered[newToken], error) {
		return once(ctx, a, "create-token", in.Keyed, in, func(ctx context.Context) (newToken, error) {
			out, secret, err := a.service.CreateToken(ctx, actor, in.Body.Name, in.Body.Scopes, in.Body.ExpiresAt)
			return newToken{Token: toToken(out), Secret: secret}, err
		})
	})
	add(a, route{
		id: "revoke-token", method: http.MethodDelete, path: "/tokens/{id}", use: service.RevokeToken, tag: tagTokens,
		summary: "Revoke an API token", detail: "At once; also the one that is shown. Those that it has made go on.",
	}, func(ctx context.Context, actor service.Actor, in *ByID) (*Nothing, error) {
		return &Nothing{}, a.service.RevokeToken(ctx, actor, in.ID)
	})
}
