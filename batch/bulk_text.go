package batch

import (
	"fmt"
	"strconv"
	"strings"
)

// RoundText says how far the round is, and how many batches run at a time.
func (b Bulk) RoundText() string {
	return fmt.Sprintf("%d of %d: %d of %d batches ended, at most %d at a time", b.Round, b.Rounds, b.Ended, b.Units, b.MaxFlight)
}

// PausedText says why no batch is started; empty: none is held back.
func (b Bulk) PausedText() string {
	if b.Paused == "paused" {
		return "by request"
	}
	return strings.TrimPrefix(b.Paused, "paused: ")
}

// String formats the summary for people.
func (c CancelSummary) String() string {
	return fmt.Sprintf("%d batches told: %d cancelled, %d too late, %d unconfirmed; %d never sent",
		c.Told, c.Cancelled, c.TooLate, c.Unconfirmed, c.NotSent)
}

// String formats the pages for people; of those that failed it names the first.
func (d DownstreamState) String() string {
	text := fmt.Sprintf("%d started: %d running, %d completed, %d failed, %d cancelled; %d not run",
		d.Started, d.Running, d.Completed, d.Failed, d.Cancelled, d.NotRun)
	if d.Unconfirmed > 0 {
		text += fmt.Sprintf(", %d not known to have stopped", d.Unconfirmed)
	}
	if len(d.Failures) > 0 {
		text += " (such as " + d.Failures[0] + ")"
	}
	return text
}

// USD formats an amount of US dollars with as many digits as it has, and at
// least cents.
func USD(amount float64) string {
	text := strconv.FormatFloat(amount, 'f', -1, 64)
	if _, cents, _ := strings.Cut(text, "."); len(cents) < 2 {
		text = strconv.FormatFloat(amount, 'f', 2, 64)
	}
	return text + " USD"
}
