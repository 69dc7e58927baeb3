// Checks the assertion Postern sends with each request. Needs nothing but the standard library.
//
// As a program: verify GATEWAY ISSUER AUDIENCE reads assertions from stdin, one a line.
package main

import (
	"bufio"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

const leeway = 5 // seconds

// Verifier fetches the key set when it first needs it, and again for a key that is not in it. Make it once.
type Verifier struct {
	Gateway, Issuer, Audience string

	mutex   sync.Mutex
	keys    map[string]ed25519.PublicKey
	fetched time.Time
}

// Caller is who Postern says is calling.
type Caller struct {
	TokenID string
	Scopes  []string
}

var client = http.Client{Timeout: 5 * time.Second}

// Verify fails if the assertion is forged, old, or meant for another service. Then answer 401.
func (v *Verifier) Verify(assertion string) (*Caller, error) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a JWT")
	}
	var header struct{ Alg, Typ, Kid string }
	if err := decode(parts[0], &header); err != nil {
		return nil, err
	}
	// The algorithm is ours to choose, never the sender's.
	if header.Alg != "EdDSA" || header.Typ != "JWT" {
		return nil, errors.New("not an EdDSA JWT")
	}
	key, err := v.key(header.Kid)
	if err != nil {
		return nil, err
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errors.New("bad signature")
	}
	var claims struct {
		Iss, Aud, Sub, Scope string
		Exp                  int64
	}
	if err := decode(parts[1], &claims); err != nil {
		return nil, err
	}
	if claims.Iss != v.Issuer || claims.Aud != v.Audience || claims.Sub == "" {
		return nil, errors.New("not for this service")
	}
	if time.Now().Unix() >= claims.Exp+leeway {
		return nil, errors.New("expired")
	}
	return &Caller{claims.Sub, strings.Fields(claims.Scope)}, nil
}

func (v *Verifier) key(kid string) (ed25519.PublicKey, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if key, known := v.keys[kid]; known {
		return key, nil
	}
	// Made-up key ids must not make us ask for each.
	if time.Since(v.fetched) < 10*time.Second {
		return nil, errors.New("unknown key")
	}
	v.fetched = time.Now()
	response, err := client.Get(v.Gateway + "/_postern/jwks.json")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var set struct{ Keys []struct{ Kty, Crv, Kid, X string } }
	if response.StatusCode != http.StatusOK {
		return nil, errors.New("no key set: " + response.Status)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, response.Body, 1<<16)).Decode(&set); err != nil {
		return nil, err
	}
	v.keys = map[string]ed25519.PublicKey{}
	for _, one := range set.Keys {
		x, err := base64.RawURLEncoding.DecodeString(one.X)
		if err == nil && one.Kty == "OKP" && one.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize {
			v.keys[one.Kid] = x
		}
	}
	if key, known := v.keys[kid]; known {
		return key, nil
	}
	return nil, errors.New("unknown key")
}

func decode(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func main() {
	verifier := &Verifier{Gateway: os.Args[1], Issuer: os.Args[2], Audience: os.Args[3]}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		caller, err := verifier.Verify(lines.Text())
		if err != nil {
			fmt.Println("refused")
			continue
		}
		fmt.Println("accepted", strings.Join(append([]string{caller.TokenID}, caller.Scopes...), " "))
	}
}
