package platform

import (
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is. It decides the HTTP status, and is part of the API.
type Code string

// The codes.
const (
	Invalid      Code = "invalid"      // the input is wrong; the caller can mend it
	Unauthorised Code = "unauthorised" // nobody knows who is asking
	Forbidden    Code = "forbidden"    // it is known who asks, and they may not
	NotFound     Code = "not_found"    // it is not there, or it is another organisation's
	Conflict     Code = "conflict"     // it does not fit what is there: taken, already done, changed meanwhile
	Gone         Code = "gone"         // it was there and will not come back: expired, revoked, erased
	RateLimited  Code = "rate_limited" // too much at a time; later it will do
	Internal     Code = "internal"     // our own fault
)

// Error is a failure that the person or program at the other end may be told. Any other error is our own fault: it is
// logged for the operator and shown as "internal error".
type Error struct {
	Code    Code
	Message string // a sentence: what was wrong, and what to do next
	// Field names the input that an Invalid error is about, as the API calls it. It may be empty.
	Field string
}

// Error returns code and message, for logs.
func (e *Error) Error() string {
	if e.Field != "" {
		return fmt.Sprintf("%s: %s: %s", e.Code, e.Field, e.Message)
	}
	return fmt.Sprintf("%s: %s", e.Code, e.Message)
}

// Errorf makes an Error.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// InvalidField makes an Invalid error about one input.
func InvalidField(field, format string, args ...any) *Error {
	return &Error{Code: Invalid, Field: field, Message: fmt.Sprintf(format, args...)}
}

// ErrorCode is the code of err: empty for nil, Internal for what is not an Error.
func ErrorCode(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	default:
		return Internal
	}
}

// ErrorMessage is what may be shown of err: empty for nil, and nothing of the inside for what is not an Error.
func ErrorMessage(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Message
	default:
		return "Internal error. It was logged; please try again."
	}
}
