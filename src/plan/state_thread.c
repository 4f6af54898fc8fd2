#include "base/str.h"
#include "base/vec.h"
#include "plan/state_private.h"

#include <signal.h>
#include <stdlib.h>

enum {
	GATHER_MAX = 256, /* operations that don't wait for the end of the turn */
	HOLD_MS = 50,
	RESULT_HOLD_MS = 20, /* results of commands, while nobody waits for them */
	GATHER_BYTES = 1 << 20,
	QUEUE_BYTES = 16 << 20, /* where the disk is slower than we are, we wait for it */
};

struct call {
	state_cb cb;
	void *ctx;
};

struct calls {
	struct call *v;
	size_t n, cap;
};

struct ops {
	struct state_op *first, **last;
	size_t n, bytes;
};

/*
 * An operation is gathered, waits for the thread, is done. The intent of a command that leaves no
 * files, which nobody waits for, is held for a moment first: most are over before, and then one
 * row is written.
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
	uv_cond_t cond, room;
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

static void ops_push(struct ops *list, struct state_op *op)
{
	op->next = NULL;
	*list->last = op;
	list->last = &op->next;
	list->n++;
	list->bytes += op->size;
}

/* All of from goes to the end of list. */
static void ops_move(struct ops *list, struct ops *from)
{
	if (!from->first)
		return;
	*list->last = from->first;
	list->last = from->last;
	list->n += from->n;
	list->bytes += from->bytes;
	ops_init(from);
}

static struct state_op *ops_pop(struct ops *list)
{
	struct state_op *op = list->first;
	if (op && !(list->first = op->next))
		list->last = &list->first;
	if (op) {
		list->n--;
		list->bytes -= op->size;
	}
	return op;
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
	for (const struct state_op *op = list->first; op; op = op->next)
		durable |= op->durable;
	if (!sync_set(w, durable, err) || !state_rows_begin(&w->rows, err))
		return false;
	bool ok = true;
	for (struct state_op *op = list->first; op && ok; op = op->next)
		ok = state_op_write(&w->rows, op, err);
	return state_rows_commit(&w->rows, ok, err);
}

/* Waits for operations; false: there are none and there will be none. */
static bool take_waiting(struct state_writer *w, struct ops *list)
{
	uv_mutex_lock(&w->mutex);
	while (!w->waiting.first && !w->stop)
		uv_cond_wait(&w->cond, &w->mutex);
	ops_move(list, &w->waiting);
	uv_cond_signal(&w->room);
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
		for (struct state_op *op = list.first; op; op = op->next) {
			op->ok = ok;
			state_op_done(op);
		}
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
	uv_cond_signal(&w->cond);
	while (w->waiting.bytes > QUEUE_BYTES)
		uv_cond_wait(&w->room, &w->mutex);
	uv_mutex_unlock(&w->mutex);
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

static bool is_enough(const struct ops *list)
{
	return list->n >= GATHER_MAX || list->bytes >= GATHER_BYTES;
}

static void gather(struct state_writer *w, struct state_op *op)
{
	ops_push(&w->gathered, op);
	if (is_enough(&w->gathered))
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
static void expect(struct state_writer *w, const struct state_op *op)
{
	if ((op->cb || op->claim_cb) && w->expected++ == 0)
		uv_ref((uv_handle_t *)&w->wake);
}

static void call_back(struct state_writer *w, const struct state_op *op)
{
	if (!op->cb && !op->claim_cb)
		return;
	if (--w->expected == 0)
		uv_unref((uv_handle_t *)&w->wake);
	if (op->cb)
		op->cb(op->ctx, op->ok);
	else
		op->claim_cb(op->ctx, op->ok, op->ok ? op->holder : NULL, op->ok ? op->dead : NULL);
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
	struct state_op *op;

	ops_init(&list);
	take_done(w, &list);
	while ((op = ops_pop(&list))) {
		w->failed |= !op->ok;
		call_back(w, op);
		state_op_free(op);
	}
}

static void hold(struct state_writer *w, struct state_op *op)
{
	struct call call = { op->cb, op->ctx };

	op->cb = NULL;
	ops_push(&w->held, op);
	if (!uv_is_active((uv_handle_t *)&w->hold))
		uv_timer_start(&w->hold, hold_ends, HOLD_MS, 0);
	if (!call.cb)
		return;
	vec_push(&w->soon, call);
	uv_idle_start(&w->turn, turn_ends);
}

/* The intent of a result that came while it was held. */
static void drop_held(struct state_writer *w, const struct state_attempt *a)
{
	struct ops list;
	struct state_op *op;

	ops_init(&list);
	ops_move(&list, &w->held);
	while ((op = ops_pop(&list)))
		if (op->a->id == a->id && str_eq(op->a->run, a->run))
			state_op_free(op);
		else
			ops_push(&w->held, op);
}

static void hold_result(struct state_writer *w, struct state_op *op)
{
	ops_push(&w->results, op);
	if (is_enough(&w->results))
		state_writer_hurry(w);
	else if (!uv_is_active((uv_handle_t *)&w->result_hold))
		uv_timer_start(&w->result_hold, result_hold_ends, RESULT_HOLD_MS, 0);
}

/* What is held is older than what is not, but for the intents of commands. */
static void put_after_results(struct state_writer *w, struct state_op *op)
{
	if (op->kind != OP_INTENT) {
		uv_timer_stop(&w->result_hold);
		ops_move(&w->gathered, &w->results);
	}
	gather(w, op);
}

/* Of a killed command its files must be known as it found them, or they would pass for a person's.
 */
static bool can_be_held(const struct state_op *op)
{
	return op->kind == OP_INTENT && !op->durable && !op->a->paid && !op->a->files_len;
}

void state_writer_put(struct state_writer *w, const struct state_op *template)
{
	struct state_op *op = state_op_new(template);

	if (can_be_held(op)) {
		hold(w, op);
		return;
	}
	expect(w, op);
	if (op->kind == OP_RESULT)
		drop_held(w, op->a);
	if (op->kind == OP_RESULT && !op->durable)
		hold_result(w, op);
	else
		put_after_results(w, op);
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
	uv_cond_destroy(&w->room);
}

struct state_writer *state_writer_new(struct state *st, uv_loop_t *loop, struct err *err)
{
	struct state_writer *w = mem_alloc(sizeof(*w));
	int format;
	sqlite3 *db = state_connect(st->path, true, &format, err);
	/* Each checkpoint writes a page once, however often it was changed: 16 MB of log, not 4. */
	if (!db ||
		!state_db_run(db, "PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=4000", err))
		goto fail;
	if (uv_async_init(loop, &w->wake, woken) != 0) {
		err_set(err, "cannot wake the loop: too many open files, raise 'ulimit -n'");
		goto fail;
	}
	w->rows = (struct state_rows){ .db = db, .folder = st->folder };
	w->error = &st->error;
	ops_init(&w->gathered);
	ops_init(&w->held);
	ops_init(&w->results);
	ops_init(&w->waiting);
	ops_init(&w->done);
	uv_mutex_init(&w->mutex);
	uv_cond_init(&w->cond);
	uv_cond_init(&w->room);
	handles_init(w, loop);
	if (thread_start(w, err))
		return w;
	locks_release(w);
	handles_close(w);
	state_rows_release(&w->rows);
	sqlite3_close(db);
	return NULL;
fail:
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
	struct state_op *op;

	thread_end(w);
	while ((op = ops_pop(&w->done))) {
		w->failed |= !op->ok;
		state_op_free(op);
	}
	bool ok = !w->failed || err_set(err, "%s", w->trouble.text);
	state_rows_release(&w->rows);
	sqlite3_close(db);
	locks_release(w);
	vec_release(&w->soon);
	handles_close(w);
	return ok;
}
