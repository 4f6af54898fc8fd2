#include "base/str.h"
#include "base/vec.h"
#include "plan/state_private.h"

#include <signal.h>
#include <stdlib.h>

enum {
	GATHER_MAX = 256, /* operations that don't wait for the end of the turn */
	HOLD_MS = 50,
	RESULT_HOLD_MS = 20, /* results of commands, while nobody waits for them */
};

struct call {
	state_cb cb;
	void *ctx;
};

struct calls {
	struct call *v;
	size_t n, cap;
};

struct op {
	struct op *next;
	bool end, durable, ok;
	struct call call;
	struct state_attempt a; /* end of a run: run, exit_code, ended_ms */
	char text[];
};

struct ops {
	struct op *first, **last;
	size_t n;
};

/*
 * An operation is gathered, waits for the thread, is done. The intent of a command, which nobody
 * waits for, is held for a moment first: most are over before, and then one row is written.
 */
struct state_writer {
	uv_idle_t turn; /* active when there is something for its end */
	uv_async_t wake;
	uv_timer_t hold, result_hold;
	int open; /* of these four */
	struct ops gathered, held, results;
	struct calls soon; /* for intents that are held */
	size_t expected;   /* callbacks still to be made */
	struct err *error; /* for state_error() */
	bool failed;

	uv_thread_t thread;
	uv_mutex_t mutex;
	uv_cond_t cond;
	struct ops waiting, done; /* these four under the mutex */
	struct err trouble;
	bool stop;

	struct state_rows rows; /* the thread's from here on */
	bool full;
};

static void ops_init(struct ops *list)
{
	*list = (struct ops){ .last = &list->first };
}

static void ops_push(struct ops *list, struct op *op)
{
	op->next = NULL;
	*list->last = op;
	list->last = &op->next;
	list->n++;
}

/* All of from goes to the end of list. */
static void ops_move(struct ops *list, struct ops *from)
{
	if (!from->first)
		return;
	*list->last = from->first;
	list->last = from->last;
	list->n += from->n;
	ops_init(from);
}

static struct op *ops_pop(struct ops *list)
{
	struct op *op = list->first;
	if (op && !(list->first = op->next))
		list->last = &list->first;
	if (op)
		list->n--;
	return op;
}

static struct op *op_new(const struct state_attempt *a)
{
	struct op *op = mem_alloc(sizeof(*op) + state_attempt_room(a));
	state_attempt_copy(&op->a, a, op->text);
	return op;
}

static bool op_write(struct state_rows *rows, const struct op *op, struct err *err)
{
	if (op->end)
		return state_rows_end(rows, op->a.run, op->a.exit_code, op->a.ended_ms, err);
	return state_rows_attempt(rows, &op->a, err);
}

/* SQLite takes this only outside of a transaction. */
static bool sync_set(struct state_writer *w, bool full, struct err *err)
{
	if (w->full == full)
		return true;
	w->full = full;
	return state_db_run(
		w->rows.db, full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL", err);
}

static bool write_all(struct state_writer *w, const struct ops *list, struct err *err)
{
	bool durable = false;
	for (const struct op *op = list->first; op; op = op->next)
		durable |= op->durable;
	if (!sync_set(w, durable, err) || !state_rows_begin(&w->rows, err))
		return false;
	bool ok = true;
	for (const struct op *op = list->first; op && ok; op = op->next)
		ok = op_write(&w->rows, op, err);
	return state_rows_commit(&w->rows, ok, err);
}

/* Waits for operations; false: there are none and there will be none. */
static bool take_waiting(struct state_writer *w, struct ops *list)
{
	uv_mutex_lock(&w->mutex);
	while (!w->waiting.first && !w->stop)
		uv_cond_wait(&w->cond, &w->mutex);
	ops_move(list, &w->waiting);
	uv_mutex_unlock(&w->mutex);
	return list->first;
}

static void thread_main(void *ctx)
{
	struct state_writer *w = ctx;
	struct err err;
	struct ops list;

	ops_init(&list);
	while (take_waiting(w, &list)) {
		bool ok = write_all(w, &list, &err);
		for (struct op *op = list.first; op; op = op->next)
			op->ok = ok;
		uv_mutex_lock(&w->mutex);
		if (!ok)
			w->trouble = err;
		ops_move(&w->done, &list);
		uv_mutex_unlock(&w->mutex);
		uv_async_send(&w->wake);
	}
}

static void hand_over(struct state_writer *w)
{
	if (!w->gathered.first)
		return;
	uv_mutex_lock(&w->mutex);
	ops_move(&w->waiting, &w->gathered);
	uv_mutex_unlock(&w->mutex);
	uv_cond_signal(&w->cond);
}

static void turn_ends(uv_idle_t *turn)
{
	struct state_writer *w = turn->data;
	struct calls soon = w->soon;
	struct call *call;

	uv_idle_stop(turn);
	w->soon = (struct calls){ 0 };
	vec_each (call, &soon)
		call->cb(call->ctx, true);
	vec_release(&soon);
	hand_over(w);
}

static void gather(struct state_writer *w, struct op *op)
{
	ops_push(&w->gathered, op);
	if (w->gathered.n >= GATHER_MAX)
		hand_over(w);
	else
		uv_idle_start(&w->turn, turn_ends);
}

void state_writer_hurry(struct state_writer *w)
{
	if (!w->results.first)
		return;
	uv_timer_stop(&w->result_hold);
	ops_move(&w->gathered, &w->results);
	hand_over(w);
}

static void result_hold_ends(uv_timer_t *hold)
{
	state_writer_hurry(hold->data);
}

static void hold_ends(uv_timer_t *hold)
{
	struct state_writer *w = hold->data;
	ops_move(&w->gathered, &w->held);
	hand_over(w);
}

/* The loop stays until everybody was called back. */
static void expect(struct state_writer *w, struct op *op, state_cb cb, void *ctx)
{
	op->call = (struct call){ cb, ctx };
	if (cb && w->expected++ == 0)
		uv_ref((uv_handle_t *)&w->wake);
}

static void call_back(struct state_writer *w, const struct op *op)
{
	if (!op->call.cb)
		return;
	if (--w->expected == 0)
		uv_unref((uv_handle_t *)&w->wake);
	op->call.cb(op->call.ctx, op->ok);
}

static void take_done(struct state_writer *w, struct ops *list)
{
	uv_mutex_lock(&w->mutex);
	ops_move(list, &w->done);
	if (w->trouble.text[0])
		*w->error = w->trouble;
	uv_mutex_unlock(&w->mutex);
}

static void woken(uv_async_t *wake)
{
	struct state_writer *w = wake->data;
	struct ops list;
	struct op *op;

	ops_init(&list);
	take_done(w, &list);
	while ((op = ops_pop(&list))) {
		w->failed |= !op->ok;
		call_back(w, op);
		free(op);
	}
}

static void hold(struct state_writer *w, struct op *op, state_cb cb, void *ctx)
{
	ops_push(&w->held, op);
	if (!uv_is_active((uv_handle_t *)&w->hold))
		uv_timer_start(&w->hold, hold_ends, HOLD_MS, 0);
	if (!cb)
		return;
	vec_push(&w->soon, (struct call){ cb, ctx });
	uv_idle_start(&w->turn, turn_ends);
}

/* The intent of a result that came while it was held. */
static void drop_held(struct state_writer *w, const struct state_attempt *a)
{
	struct ops list;
	struct op *op;

	ops_init(&list);
	ops_move(&list, &w->held);
	while ((op = ops_pop(&list)))
		if (op->a.id == a->id && str_eq(op->a.run, a->run))
			free(op);
		else
			ops_push(&w->held, op);
}

void state_writer_intent(
	struct state_writer *w, const struct state_attempt *a, bool durable, state_cb cb, void *ctx)
{
	struct op *op = op_new(a);
	op->durable = durable;
	if (!durable && !a->paid) {
		hold(w, op, cb, ctx);
		return;
	}
	expect(w, op, cb, ctx);
	gather(w, op);
}

void state_writer_result(
	struct state_writer *w, const struct state_attempt *a, bool durable, state_cb cb, void *ctx)
{
	struct op *op = op_new(a);
	op->durable = durable;
	expect(w, op, cb, ctx);
	drop_held(w, a);
	if (durable) {
		gather(w, op);
		return;
	}
	ops_push(&w->results, op);
	if (w->results.n >= GATHER_MAX)
		state_writer_hurry(w);
	else if (!uv_is_active((uv_handle_t *)&w->result_hold))
		uv_timer_start(&w->result_hold, result_hold_ends, RESULT_HOLD_MS, 0);
}

void state_writer_end(struct state_writer *w, const char *run, int exit_code, int64_t ended_ms)
{
	struct state_attempt a = { .run = run, .exit_code = exit_code, .ended_ms = ended_ms };
	struct op *op = op_new(&a);
	op->end = true;
	gather(w, op);
}

static void handle_closed(uv_handle_t *handle)
{
	struct state_writer *w = handle->data;
	if (--w->open == 0)
		free(w);
}

static void handles_init(struct state_writer *w, uv_loop_t *loop)
{
	uv_idle_init(loop, &w->turn);
	uv_timer_init(loop, &w->hold);
	uv_timer_init(loop, &w->result_hold);
	w->turn.data = w->hold.data = w->result_hold.data = w->wake.data = w;
	w->open = 4;
	uv_unref((uv_handle_t *)&w->hold);
	uv_unref((uv_handle_t *)&w->result_hold);
	uv_unref((uv_handle_t *)&w->wake);
}

static void handles_close(struct state_writer *w)
{
	uv_close((uv_handle_t *)&w->turn, handle_closed);
	uv_close((uv_handle_t *)&w->hold, handle_closed);
	uv_close((uv_handle_t *)&w->result_hold, handle_closed);
	uv_close((uv_handle_t *)&w->wake, handle_closed);
}

/* Signals are the main thread's business. */
static bool thread_start(struct state_writer *w, struct err *err)
{
	sigset_t all, old;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int code = uv_thread_create(&w->thread, thread_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return code == 0 || err_set(err, "cannot start a thread: %s", uv_strerror(code));
}

static void locks_release(struct state_writer *w)
{
	uv_mutex_destroy(&w->mutex);
	uv_cond_destroy(&w->cond);
}

struct state_writer *state_writer_new(
	const char *path, uv_loop_t *loop, struct err *error, struct err *err)
{
	struct state_writer *w = mem_alloc(sizeof(*w));
	sqlite3 *db = state_connect(path, true, err);
	if (!db || !state_rows_init(&w->rows, db, err))
		goto fail;
	if (uv_async_init(loop, &w->wake, woken) != 0) {
		err_set(err, "cannot wake the loop: too many open files, raise 'ulimit -n'");
		goto fail;
	}
	w->error = error;
	ops_init(&w->gathered);
	ops_init(&w->held);
	ops_init(&w->results);
	ops_init(&w->waiting);
	ops_init(&w->done);
	uv_mutex_init(&w->mutex);
	uv_cond_init(&w->cond);
	handles_init(w, loop);
	if (thread_start(w, err))
		return w;
	locks_release(w);
	handles_close(w);
	state_rows_release(&w->rows);
	sqlite3_close(db);
	return NULL;
fail:
	state_rows_release(&w->rows);
	sqlite3_close(db);
	free(w);
	return NULL;
}

static void thread_end(struct state_writer *w)
{
	ops_move(&w->gathered, &w->held);
	ops_move(&w->gathered, &w->results);
	hand_over(w);
	uv_mutex_lock(&w->mutex);
	w->stop = true;
	uv_mutex_unlock(&w->mutex);
	uv_cond_signal(&w->cond);
	uv_thread_join(&w->thread);
}

bool state_writer_free(struct state_writer *w, struct err *err)
{
	sqlite3 *db = w->rows.db;
	struct op *op;

	thread_end(w);
	while ((op = ops_pop(&w->done))) {
		w->failed |= !op->ok;
		free(op);
	}
	bool ok = !w->failed || err_set(err, "%s", w->trouble.text);
	state_rows_release(&w->rows);
	sqlite3_close(db);
	locks_release(w);
	vec_release(&w->soon);
	handles_close(w);
	return ok;
}
