/*
 * A Claudefile as typed values with their places. What is here has passed every check that needs
 * the file alone: keys, types, names, templates. Everything belongs to the arena it was read
 * into.
 */
#ifndef SPEC_CLAUDEFILE_H
#define SPEC_CLAUDEFILE_H

#include "base/hash.h"
#include "base/map.h"
#include "spec/matrix.h"
#include "spec/model.h"
#include "spec/template.h"

#include <sys/stat.h>

/* name: text, in the order of the file. */
struct pair {
	const char *name;
	struct place at;
	struct text value;
};

struct pairs {
	struct pair *v;
	size_t n;
};

/* A map of YAML that stands for JSON, or the path of a file that holds it. */
struct json {
	struct place at;
	const struct node *map; /* NULL: a path, or not given */
	struct text path;
};

enum via { VIA_CLI, VIA_API, VIA_BATCH };

/* Runs again after a success: where something has changed, each time, or never by itself. */
enum rerun { RERUN_CHANGED, RERUN_ALWAYS, RERUN_ONCE };

/* What a task does not say itself and defaults do not either. */
enum {
	DEFAULT_JOBS = 4,
	DEFAULT_REQUESTS = 50,
	DEFAULT_MAX_TOKENS = 16000,
	DEFAULT_TIMEOUT_MS = 10 * 60 * 1000,
	DEFAULT_WAIT_MS = 10 * 60 * 1000,
	DEFAULT_RETRY_DELAY_MS = 2 * 1000,
	DEFAULT_RETRY_MAX_DELAY_MS = 60 * 1000,
};

struct retry {
	int64_t times; /* further attempts after the first */
	int64_t delay_ms, max_delay_ms;
	struct texts on; /* class names, "exit:N", "/regex/"; empty: what the class table says */
	bool resume;     /* where given: go on in the session after any failure, or never */
};

/* How a model thinks, as the Messages API has it; UNSET: as the model does by itself. */
enum thinking_type {
	THINKING_UNSET,
	THINKING_ADAPTIVE,
	THINKING_ENABLED, /* with budget_tokens */
	THINKING_BETWEEN_TOOLS,
	THINKING_DISABLED,
};

struct thinking {
	enum thinking_type type;
	int64_t budget_tokens; /* of THINKING_ENABLED: 1024 or more */
	struct place at;
};

/* How long the service keeps what requests have in common; AUTO: 5m where another one shares it. */
enum cache { CACHE_AUTO, CACHE_5M, CACHE_1H, CACHE_NONE };

/* "50/m": so many in so much time; n 0: not given. */
struct rate {
	int64_t n, per_ms;
};

/* Instances of a matrix at once; size 0: no limit of their own. wait: in waves. */
struct batch {
	int64_t size;
	bool wait;
};

/* A bit for each key of the schema: was it given, here or in defaults? */
struct given {
	uint64_t bits[4];
};

/*
 * A task as declared, with what defaults and the program say where it is silent: model has at
 * least one entry if there is a prompt, shell is never empty. Durations in ms, 0: none.
 */
struct task_spec {
	const char *name;
	struct place at;
	struct given given;
	struct text desc, prompt, save, dir, when, pool;
	struct text prompt_file; /* what is in it; where a task has one, prompt is it */
	struct texts run, needs, after, inputs, attach, outputs, edits, model, shell;
	struct pairs env;
	enum via via;
	struct text effort, permission_mode, agent, system_prompt, append_system_prompt;
	struct texts tools, allowed_tools, disallowed_tools, setting_sources, betas, args;
	struct texts mcp_config, add_dir;
	struct json agents, settings, json_schema;
	int64_t max_turns;          /* 0: no limit */
	int64_t max_tokens;         /* of an answer of the Messages API */
	struct place max_tokens_at; /* line 0: not given */
	struct texts stop_sequences;
	struct thinking thinking;
	enum cache cache;
	struct text continues; /* the task in whose session it goes on */
	bool bare;
	int64_t timeout_ms, idle_timeout_ms;
	struct retry retry;
	struct matrix *matrix; /* NULL: one task */
	struct batch batch;
	int64_t priority;
	bool allow_failure;
	enum rerun rerun; /* where not given: always if it declares nothing, else changed */
};

enum var_kind { VAR_TEXT, VAR_SH, VAR_REQUIRED };

struct var {
	const char *name;
	struct place at;
	enum var_kind kind;
	struct text value; /* the text, or the command */
};

struct model_def {
	const char *alias;
	struct place at;
	struct given given;
	struct text id;
	int64_t jobs;       /* tasks at once on this model; 0: no limit of its own */
	struct rate rate;   /* starts */
	struct rate tokens; /* of prompts and answers together */
	struct price price; /* where "price" is given: whole, the shipped table fills what is not */
};

struct pool {
	const char *name;
	struct place at;
	int64_t max; /* tasks at once */
};

/* A limit that holds a template is in later: expand it and give it to limits_set(). */
struct limits {
	struct given given;
	int64_t jobs;
	int64_t requests;   /* calls of the API at once */
	int64_t timeout_ms; /* 0: none */
	int64_t wait_ms;    /* how long one task may wait out rate limits */
	struct {
		struct pool *v;
		size_t n;
	} pools;
	int64_t usage_wait_ms;
	double load; /* no new command above this system load; 0: none */
	struct pairs later;
};

/* A file that was read, as it was before: what it is like afterwards may be another. */
struct source {
	const char *path;  /* from the root, or absolute */
	struct stat st;    /* zeros: it was not there */
	struct hash place; /* of path_place() */
};

struct sources {
	struct source *v;
	size_t n, cap;
};

/* Before it is read. whole: where it is from here. */
void sources_add(struct sources *s, const char *path, const char *whole);

struct claudefile {
	const char *file; /* the name for messages */
	struct given given;
	bool lock; /* successes are kept in Claudefile.lock too */
	struct texts default_targets, dotenv, shell;
	struct pairs env;
	struct {
		struct var *v;
		size_t n;
	} vars;
	struct {
		struct model_def *v;
		size_t n;
	} models;
	struct limits limits;
	struct {
		struct task_spec *v; /* in declared order, defaults merged in */
		size_t n;
	} tasks;
	struct map task_index; /* name → index in tasks */
	struct map var_index, model_index;
	struct sources read; /* other files that were read for it; see settled.h */
};

/*
 * Reads, checks and types a file. NULL: mistakes were added. bytes and name must outlive the
 * result. warnings get what is worth saying and stops nothing (a model that retires).
 */
struct claudefile *claudefile_read(struct arena *a, const char *file, const char *bytes, size_t len,
	struct mistakes *mistakes, struct mistakes *warnings);
/* What a reader knows beside the bytes. */
struct claudefile_place {
	const char *folder; /* the root, as messages name it from where we stand */
	const char *top;    /* absolute: no file that is read leads out of it; NULL: any may be */
	const char *today;  /* "2026-11-29", UTC: what retires until then; NULL: before any day */
};
/* The same where the root may be another folder than the file's own. */
struct claudefile *claudefile_read_in(struct arena *a, const char *file,
	const struct claudefile_place *where, const char *bytes, size_t len,
	struct mistakes *mistakes, struct mistakes *warnings);
/* Not of the arena: the indexes, and the list of files. */
void claudefile_release(struct claudefile *cf);

/* The value of a limit as text: "jobs" takes "4", "timeout" "2h", "load" "2.5". */
bool limits_set(struct limits *limits, const char *key, const char *value, struct err *err);
bool load_parse(const char *text, double *load, struct err *err);

const struct var *claudefile_var(const struct claudefile *cf, const char *name);
const struct model_def *claudefile_model(const struct claudefile *cf, const char *alias);

/* The first declared model that stands for a full id (with or without "[1m]" behind it), or NULL.
 */
const struct model_def *claudefile_model_by_id(const struct claudefile *cf, const char *id);

/* The price that the file gives for a full id, for prompts of any length; or NULL. */
const struct price *claudefile_price(const struct claudefile *cf, const char *id);

/* The full id of a model that a person names: NULL where that is no alias and can't be an id. */
const char *claudefile_choose_model(const struct claudefile *cf, const char *name, struct err *err);

/* The full model id behind a name of the file: its models, then built-in aliases, then itself. */
const char *claudefile_model_id(const struct claudefile *cf, const char *name);

/*
 * Looks for Claudefile, Claudefile.yaml, Claudefile.yml in folder and upwards to the root of its
 * git repository (only in folder where there is none). The path on the caller's heap, or NULL
 * with err.
 */
char *claudefile_find(const char *folder, struct err *err);

#endif
