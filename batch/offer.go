package batch

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Refuses says what the profile does not offer to a job whose rows travel in the
// given mode, or what it cannot keep for the lack of a price; empty: nothing.
func (p Profile) Refuses(job Job, mode CreateMode) string {
	if len(p.Windows) > 0 && !slices.Contains(p.Windows, job.CompletionWindow) {
		return fmt.Sprintf("completion_window: %q is not offered by profile %s (%s)", job.CompletionWindow, p.Name, strings.Join(p.Windows, ", "))
	}
	if mode == CreateInline && p.MaxInlineBytes == 0 {
		return fmt.Sprintf("create_mode: profile %s offers no inline creation", p.Name)
	}
	if job.BudgetUSD > 0 && p.Dialect == DialectOpenAI && !p.Known() {
		return fmt.Sprintf("budget_usd: the API tells no cost and profile %s no price: give the profile input_usd_per_million_tokens "+
			"and output_usd_per_million_tokens in the limits file", p.Name)
	}
	return ""
}

// AtLeast is how long the profile's quotas alone stretch a run of so many
// batches and bytes, were the account otherwise unused and every row answered at
// once; what happens within the first hour or day takes no time.
func (p Profile) AtLeast(batches int, bytes int64, mode CreateMode) time.Duration {
	spans := func(amount, limit int64, span time.Duration) time.Duration {
		if limit <= 0 || amount <= 0 {
			return 0
		}
		return time.Duration((amount-1)/limit) * span
	}
	least := spans(int64(batches), int64(p.CreatesPerHour), hourSpan)
	if mode != CreateInline {
		least = max(least, spans(int64(batches), int64(p.UploadsPerHour), hourSpan), spans(bytes, p.UploadBytesPerDay, daySpan))
	}
	return least
}

// Estimate is what rows cost by their length and the output that they allow; it
// has no cost where the profile has no price.
func (p Profile) Estimate(inputTokens, maxOutputTokens int64) Money {
	return Money{
		InputTokens: inputTokens, OutputTokens: maxOutputTokens, TotalTokens: inputTokens + maxOutputTokens,
		CostNanos: p.Nanos(inputTokens, maxOutputTokens),
	}
}
