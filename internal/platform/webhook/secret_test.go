package webhook

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The vector that Standard Webhooks and its libraries publish.
func TestSignatureOfTheStandard(t *testing.T) {
	t.Parallel()
	s := Secrets{{Text: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}}
	got, err := s.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	require.NoError(t, err)
	require.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", got)
}

func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0).UTC()
	first := Secrets{}.Rotated(NewSecret(), now)
	second := first.Rotated(NewSecret(), now)
	require.Len(t, second, 2)
	read, err := DecodeSecrets(second.Encode())
	require.NoError(t, err)
	require.Equal(t, second, read)
	signatures := func(s Secrets, at time.Time) []string {
		text, err := s.Sign("evt_1", at, []byte("{}"))
		require.NoError(t, err)
		return strings.Fields(text)
	}
	old := signatures(first, now.Add(Overlap-time.Second))
	both := signatures(second, now.Add(Overlap-time.Second))
	require.Len(t, both, 2)
	require.Equal(t, old[0], both[1], "the one before still signs")
	require.Len(t, signatures(second, now.Add(Overlap)), 1)
	many := first
	for range 10 {
		many = many.Rotated(NewSecret(), now)
	}
	require.Len(t, many, maxSecrets)
	require.Len(t, many.Rotated(NewSecret(), now.Add(2*Overlap)), 2, "what is no longer good goes; the newest of before gets its end")
}

func TestSecretsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "\n", "unprefixed", "whsec_", "whsec_!!", NewSecret() + " soon"} {
		_, err := DecodeSecrets([]byte(text))
		require.Error(t, err, "%q", text)
		if secret := strings.TrimPrefix(text, "whsec_"); len(secret) > 3 {
			require.NotContains(t, err.Error(), secret)
		}
	}
}
