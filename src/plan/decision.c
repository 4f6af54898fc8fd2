#include "plan/decision.h"

void decision_say(struct decision *d, enum reason_kind kind, const char *what)
{
	if (d->n < REASONS_MAX)
		d->v[d->n++] = (struct reason){ kind, what };
	else
		d->more++;
}

bool decision_has(const struct decision *d, enum reason_kind kind)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].kind == kind)
			return true;
	return false;
}

static const char *const words[][2] = {
	[REASON_NEVER] = { "it has not been done yet", NULL },
	[REASON_ALWAYS] = { "it runs each time", NULL },
	[REASON_FORCED] = { "it was asked for", NULL },
	[REASON_CONTINUED] = { "what continues it runs, and its conversation is not here", NULL },
	[REASON_KEY] = { "what is asked changed", NULL },
	[REASON_INPUT] = { "inputs: ", " changed" },
	[REASON_INPUT_NEW] = { "inputs: ", " is new" },
	[REASON_INPUT_GONE] = { "inputs: ", " is gone" },
	[REASON_NEED] = { "what it needs made: ", " changed" },
	[REASON_READ] = { "Claude read: ", " changed" },
	[REASON_EDIT] = { "edits: ", " was changed since" },
	[REASON_OUTPUT_GONE] = { "outputs: ", " is not there" },
	[REASON_OUTPUT_OLD] = { "outputs: ", " is from another run of it" },
	[REASON_ANSWER_GONE] = { "its answer is needed, and is not there", NULL },
	[REASON_WAITS] = { "waits for ", "" },
	[REASON_PART] = { "", "" },
	[REASON_EDITED] = { "", " was edited by hand: it is kept" },
	[REASON_MODIFIED] = { "", " was edited by hand" },
	[REASON_UNKNOWN] = { "", " is there, and claudemake did not make it" },
};

void reason_add(struct str *out, const struct reason *reason)
{
	str_add(out, words[reason->kind][0]);
	if (!words[reason->kind][1])
		return;
	str_add(out, reason->what);
	str_add(out, words[reason->kind][1]);
}

void decision_add(struct str *out, const struct decision *d)
{
	enum { SHOWN = 3 };

	for (size_t i = 0; i < d->n && i < SHOWN; i++) {
		str_add(out, i ? "; " : "");
		reason_add(out, &d->v[i]);
	}
	if (d->n + d->more > SHOWN)
		str_addf(out, "; and %zu more", d->n + d->more - SHOWN);
}
