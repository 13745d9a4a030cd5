package batch

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Dialect is how an API speaks: the gateway's extra fields, or plain OpenAI.
type Dialect string

// The dialects.
const (
	DialectPhaseo Dialect = "phaseo"
	DialectOpenAI Dialect = "openai"
)

// Profile is the set of limits that apply to a batch. Limits differ by
// provider, tier and date: a limits file may replace any of them.
type Profile struct {
	Name    string  `json:"name"`
	Dialect Dialect `json:"dialect"`
	// MaxRows and MaxBytes bound one batch; MaxInlineBytes one whose rows travel
	// in the create call (0: inline creation is not offered).
	MaxRows        int64 `json:"max_rows"`
	MaxBytes       int64 `json:"max_bytes"`
	MaxInlineBytes int64 `json:"max_inline_bytes,omitempty"`
	MaxCustomID    int   `json:"max_custom_id,omitempty"` // bytes
	// UploadsPerHour, UploadBytesPerDay and CreatesPerHour are quotas; 0: none known.
	UploadsPerHour    int   `json:"uploads_per_hour,omitempty"`
	UploadBytesPerDay int64 `json:"upload_bytes_per_day,omitempty"`
	CreatesPerHour    int   `json:"creates_per_hour,omitempty"`
	// MaxLiveBatches and MaxEnqueuedTokens bound what one account may have open
	// at a time; 0: none known.
	MaxLiveBatches    int   `json:"max_live_batches,omitempty"`
	MaxEnqueuedTokens int64 `json:"max_enqueued_tokens,omitempty"`
	// MaxTokens bounds the estimated input tokens of one batch; 0: no limit.
	MaxTokens int64 `json:"max_tokens_per_batch,omitempty"`
	// MaxInFlight is how many batches a bulk run keeps going by default.
	MaxInFlight int `json:"max_in_flight,omitempty"`
	Prices
	// Windows are the completion windows offered; none: any.
	Windows []string `json:"windows,omitempty"`
	// Endpoints that rows may name; none: any.
	Endpoints []string `json:"endpoints,omitempty"`
	// Row rules of the gateway's reservation step.
	OneModel               bool     `json:"one_model,omitempty"`
	RequireMaxOutputTokens bool     `json:"require_max_output_tokens,omitempty"`
	RequireInput           bool     `json:"require_input,omitempty"`
	ForbiddenKeys          []string `json:"forbidden_keys,omitempty"` // at any depth of a row's body
}

// uploadEnvelope is left free of the gateway's 20 MiB for the multipart framing
// around the file.
const uploadEnvelope = 64 << 10

// PhaseoProfile is what the Phaseo gateway enforces.
func PhaseoProfile() Profile {
	return Profile{
		Name: "phaseo", Dialect: DialectPhaseo,
		MaxRows: 10_000, MaxBytes: 20<<20 - uploadEnvelope, MaxInlineBytes: 200<<20 - uploadEnvelope, MaxCustomID: 512,
		UploadsPerHour: 20, UploadBytesPerDay: 100 << 20,
		Windows:   []string{"24h"},
		Endpoints: []string{"/v1/responses", "/v1/chat/completions"},
		OneModel:  true, RequireMaxOutputTokens: true, RequireInput: true,
		ForbiddenKeys: []string{
			"tools", "image", "image_url", "input_image", "audio", "input_audio", "video", "input_video",
			"modalities", "cache_control", "web_search_options",
		},
	}
}

// OpenAIProfile is what OpenAI documents for its Batch API.
func OpenAIProfile() Profile {
	return Profile{
		Name: "openai", Dialect: DialectOpenAI,
		MaxRows: 50_000, MaxBytes: 200_000_000, MaxCustomID: 512, OneModel: true,
		Windows: []string{"24h"},
	}
}

// ParseProfiles reads a limits file: an object of profiles by name. A profile
// starts from the built-in one of its dialect, so it names only what differs.
func ParseProfiles(raw []byte) (map[string]Profile, error) {
	var file map[string]json.RawMessage
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, fmt.Errorf("limits file: want an object of profiles by name: %w", err)
	}
	out := map[string]Profile{}
	for _, name := range sortedKeys(file) {
		var head struct {
			Dialect Dialect `json:"dialect"`
		}
		if err := json.Unmarshal(file[name], &head); err != nil {
			return nil, fmt.Errorf("limits file: profile %q: %w", name, err)
		}
		p := PhaseoProfile()
		switch head.Dialect {
		case DialectPhaseo:
		case DialectOpenAI:
			p = OpenAIProfile()
		default:
			return nil, fmt.Errorf("limits file: profile %q: dialect %q is neither phaseo nor openai", name, head.Dialect)
		}
		dec := json.NewDecoder(strings.NewReader(string(file[name])))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&p); err != nil {
			return nil, fmt.Errorf("limits file: profile %q: %w", name, err)
		}
		p.Name = name
		if problem := p.problem(); problem != "" {
			return nil, fmt.Errorf("limits file: profile %q: %s", name, problem)
		}
		out[name] = p
	}
	return out, nil
}

// maxPrice is far above any model's, in US dollars per million tokens; what it
// keeps is that the price of a batch is a number that can be counted with.
const maxPrice = 1_000_000

// problem is what keeps a profile from being used; empty: nothing.
func (p Profile) problem() string {
	c := p.Capacity()
	switch {
	case p.MaxRows <= 0 || p.MaxBytes <= 0:
		return "max_rows and max_bytes must be positive"
	case min(int64(c.UploadsPerHour), c.UploadBytesPerDay, int64(c.CreatesPerHour), int64(c.MaxLive), c.MaxEnqueuedTokens) < 0:
		return "a quota is negative; leave it out where there is none"
	case min(p.MaxInlineBytes, int64(p.MaxCustomID), p.MaxTokens, int64(p.MaxInFlight)) < 0:
		return "a limit is negative; leave it out where there is none"
	case p.MaxInFlight > maxMaxInFlight:
		return fmt.Sprintf("max_in_flight is above %d", maxMaxInFlight)
	case min(p.InputUSDPerMillion, p.OutputUSDPerMillion) < 0 || max(p.InputUSDPerMillion, p.OutputUSDPerMillion) > maxPrice:
		return fmt.Sprintf("a price is not between 0 and %d US dollars per million tokens", maxPrice)
	}
	return ""
}

// Mode is how a job's rows travel under this profile: auto prefers the create
// call where uploads are metered.
func (p Profile) Mode(job Job) CreateMode {
	switch job.CreateMode {
	case CreateInline:
		return CreateInline
	case CreateAuto:
		if p.MaxInlineBytes > 0 && p.UploadsPerHour > 0 && job.InputFileID == "" {
			return CreateInline
		}
	case CreateFile, "":
	}
	return CreateFile
}

// BytesLimit is the largest input of one batch in the given mode.
func (p Profile) BytesLimit(mode CreateMode) int64 {
	if mode == CreateInline {
		return p.MaxInlineBytes
	}
	return p.MaxBytes
}
