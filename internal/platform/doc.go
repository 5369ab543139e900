// Package platform holds the words of the platform: who invites whom to what, what was handed in, and what came of it.
//
// It has types, rules and errors, and nothing that stores or sends: internal/platform/store keeps these types in a
// database, internal/platform/blob keeps files. Rules that decide something (who may move where, when an attempt is
// over, whose turn it is) are pure functions here, so that pages, API and store agree.
//
// Times are UTC with a resolution of one millisecond, which is what the store keeps. The zero time means "none".
package platform
