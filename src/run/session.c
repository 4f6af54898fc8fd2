#include "run/session.h"

#include "spec/schema.h"

#include <stdio.h>

/* A failure before any content leaves the session of an attempt before it as it was. */
void session_after(struct session *s, const struct attempt *a)
{
	if (a->result.content)
		snprintf(s->id, sizeof(s->id), "%s", a->session);
	else if (a->resume && a->resume != s->id)
		snprintf(s->id, sizeof(s->id), "%s", a->resume);
	s->resume = s->id[0] && retry_resumes(attempt_task(a)->spec, a->result.outcome);
	/* A session that is gone says so at once, and nothing else. */
	if (a->resume && a->result.outcome == OUTCOME_LOST && !a->result.content) {
		s->id[0] = '\0';
		s->resume = false;
	}
}
