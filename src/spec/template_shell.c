#include "spec/template_private.h"

#include <string.h>

enum { DEPTH_MAX = 500 };

enum frame_kind {
	FRAME_BASE,
	FRAME_PAREN,        /* (...) */
	FRAME_SUBSTITUTION, /* $(...), <(...) */
	FRAME_CASE,
	FRAME_DOUBLE,
	FRAME_BRACES,
	FRAME_ARITHMETIC,
};

struct frame {
	enum frame_kind kind;
	bool words;   /* PAREN: a list of words, as in a=(x y): no commands in it */
	bool subject; /* CASE: before "in" */
	bool pattern; /* CASE: between "in" or ";;" and ")" */
	bool quotes;  /* BRACES: ' quotes in it */
	size_t depth; /* ARITHMETIC: open parentheses */
};

struct heredoc {
	struct str end;
	bool strip_tabs, quoted;
};

struct scan {
	const char *s;
	size_t len, i;
	enum shell_context *found;
	struct frame frames[DEPTH_MAX];
	size_t nframes;
	bool word_start;    /* a '#' here begins a comment */
	bool command_start; /* a reserved word is one here */
	bool too_deep;
	VEC(struct heredoc) heredocs; /* their bodies begin at the next newline */
};

static char peek(const struct scan *s, size_t ahead)
{
	return s->i + ahead < s->len ? s->s[s->i + ahead] : '\n';
}

static bool is_value(const struct scan *s)
{
	return s->i < s->len && !s->s[s->i];
}

static struct frame *top(struct scan *s)
{
	return &s->frames[s->nframes - 1];
}

static void push(struct scan *s, struct frame frame)
{
	if (s->nframes == DEPTH_MAX) {
		s->too_deep = true;
		return;
	}
	s->frames[s->nframes++] = frame;
}

static void pop(struct scan *s)
{
	s->nframes--;
}

static void value(struct scan *s, enum shell_context context)
{
	*s->found++ = context;
	s->i++;
}

static void in_word(struct scan *s)
{
	s->word_start = s->command_start = false;
}

static void at_command(struct scan *s)
{
	s->word_start = s->command_start = true;
}

/* Over a backslash and what it quotes; a value behind it is left to be seen. */
static void skip_escape(struct scan *s)
{
	s->i++;
	if (s->i < s->len && !is_value(s))
		s->i++;
}

static void skip_until(struct scan *s, char end, bool escapes, enum shell_context context)
{
	while (s->i < s->len && s->s[s->i] != end) {
		if (is_value(s))
			value(s, context);
		else if (escapes && s->s[s->i] == '\\')
			skip_escape(s);
		else
			s->i++;
	}
	s->i++;
}

static void single_quotes(struct scan *s)
{
	s->i++;
	skip_until(s, '\'', false, SHELL_SINGLE_QUOTES);
}

static void backquotes(struct scan *s)
{
	s->i++;
	skip_until(s, '`', true, SHELL_BACKQUOTES);
}

/* Are single quotes plain text here, as they are between double ones? */
static bool as_in_double(struct scan *s)
{
	const struct frame *f = top(s);
	return f->kind == FRAME_DOUBLE || f->kind == FRAME_ARITHMETIC ||
		(f->kind == FRAME_BRACES && !f->quotes);
}

/* "${x#'}'}": in a pattern single quotes quote, between double quotes too. */
static bool braces_hold_pattern(const struct scan *s)
{
	static const char name[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t i = 2;

	if (peek(s, i) == '!')
		i++;
	if (peek(s, i) && strchr(name, peek(s, i)))
		while (peek(s, i) && strchr(name, peek(s, i)))
			i++;
	else
		i++;
	if (peek(s, i) == '[')
		while (peek(s, i) != '\n' && peek(s, i++) != ']')
			;
	return peek(s, i) && strchr("#%/^,", peek(s, i));
}

static void dollar(struct scan *s)
{
	bool bare = !as_in_double(s);
	char next = peek(s, 1);

	s->word_start = s->command_start = false;
	if (next == '(' && peek(s, 2) == '(') {
		push(s, (struct frame){ .kind = FRAME_ARITHMETIC, .depth = 2 });
		s->i += 3;
	} else if (next == '(') {
		push(s, (struct frame){ .kind = FRAME_SUBSTITUTION });
		s->i += 2;
		at_command(s);
	} else if (next == '{') {
		bool quotes = bare || braces_hold_pattern(s);
		push(s, (struct frame){ .kind = FRAME_BRACES, .quotes = quotes });
		s->i += 2;
	} else if (next == '\'' && bare) {
		s->i += 2;
		skip_until(s, '\'', true, SHELL_SINGLE_QUOTES);
	} else {
		s->i++;
		if (bare && is_value(s))
			value(s, SHELL_DOLLAR);
	}
}

/* Inside "...", ${...} and $((...)): what all three share. */
static void quoted_step(struct scan *s, enum shell_context context)
{
	switch (s->s[s->i]) {
	case '\0':
		value(s, context);
		break;
	case '\\':
		skip_escape(s);
		break;
	case '$':
		dollar(s);
		break;
	case '`':
		backquotes(s);
		break;
	default:
		s->i++;
	}
}

static void double_step(struct scan *s)
{
	if (s->s[s->i] != '"') {
		quoted_step(s, SHELL_DOUBLE_QUOTES);
		return;
	}
	s->i++;
	pop(s);
	in_word(s);
}

static void braces_step(struct scan *s)
{
	char c = s->s[s->i];

	if (c == '}') {
		s->i++;
		pop(s);
		in_word(s);
	} else if (c == '"') {
		s->i++;
		push(s, (struct frame){ .kind = FRAME_DOUBLE });
	} else if (c == '\'' && top(s)->quotes) {
		single_quotes(s);
	} else {
		quoted_step(s, SHELL_BRACES);
	}
}

static void arithmetic_step(struct scan *s)
{
	char c = s->s[s->i];

	if (c == '(') {
		s->i++;
		top(s)->depth++;
	} else if (c == ')') {
		s->i++;
		if (!--top(s)->depth)
			pop(s);
		in_word(s);
	} else if (c == '"') {
		s->i++;
		push(s, (struct frame){ .kind = FRAME_DOUBLE });
	} else if (c == '\'') {
		single_quotes(s);
	} else {
		quoted_step(s, SHELL_ARITHMETIC);
	}
}

static void comment(struct scan *s)
{
	for (; s->i < s->len && s->s[s->i] != '\n';) {
		if (is_value(s))
			value(s, SHELL_COMMENT);
		else
			s->i++;
	}
}

static bool ends_word(char c)
{
	return strchr(" \t\n;&|()<>", c) && c;
}

static void heredoc_word(struct scan *s, struct heredoc *h)
{
	char quote = 0;

	for (; s->i < s->len; s->i++) {
		char c = s->s[s->i];
		if (!quote && ends_word(c))
			break;
		if (!c) {
			*s->found++ = SHELL_HEREDOC_WORD;
		} else if (quote ? c == quote : c == '\'' || c == '"') {
			quote = quote ? 0 : c;
			h->quoted = true;
		} else if (c == '\\' && quote != '\'') {
			h->quoted = true;
			if (peek(s, 1)) {
				str_addc(&h->end, peek(s, 1));
				s->i++;
			}
		} else {
			str_addc(&h->end, c);
		}
	}
}

static void heredoc(struct scan *s)
{
	struct heredoc h = { .end = STR_INIT };

	s->i += 2;
	if (peek(s, 0) == '-') {
		h.strip_tabs = true;
		s->i++;
	}
	while (peek(s, 0) == ' ' || peek(s, 0) == '\t')
		s->i++;
	heredoc_word(s, &h);
	vec_push(&s->heredocs, h);
}

static bool is_heredoc_end(const struct heredoc *h, const char *line, size_t len)
{
	while (h->strip_tabs && len && *line == '\t')
		line++, len--;
	return len == h->end.len && !memcmp(line, h->end.s, len);
}

static bool continues_line(const char *line, size_t len)
{
	size_t n = 0;
	while (n < len && line[len - 1 - n] == '\\')
		n++;
	return n % 2;
}

static void heredoc_body(struct scan *s, const struct heredoc *h)
{
	bool continued = false;

	while (s->i < s->len) {
		const char *line = s->s + s->i;
		const char *newline = memchr(line, '\n', s->len - s->i);
		size_t len = newline ? (size_t)(newline - line) : s->len - s->i;
		for (size_t i = 0; i < len; i++)
			if (!line[i])
				*s->found++ = h->quoted ? SHELL_HEREDOC_QUOTED : SHELL_HEREDOC;
		s->i += len + (newline != NULL);
		if (!continued && is_heredoc_end(h, line, len))
			return;
		continued = !h->quoted && continues_line(line, len);
	}
}

static void newline(struct scan *s)
{
	struct heredoc *h;

	s->i++;
	at_command(s);
	vec_each (h, &s->heredocs) {
		heredoc_body(s, h);
		str_release(&h->end);
	}
	s->heredocs.n = 0;
}

static void redirection(struct scan *s)
{
	char c = s->s[s->i], next = peek(s, 1);

	s->word_start = true;
	s->command_start = false;
	if (next == '(') {
		push(s, (struct frame){ .kind = FRAME_SUBSTITUTION });
		s->i += 2;
		at_command(s);
	} else if (c == '<' && next == '<' && peek(s, 2) == '<') {
		s->i += 3;
	} else if (c == '<' && next == '<') {
		heredoc(s);
	} else {
		s->i += next && strchr("<>&|", next) ? 2 : 1;
	}
}

static void open_paren(struct scan *s)
{
	if (top(s)->kind == FRAME_CASE && top(s)->pattern) {
		s->i++;
	} else if (s->word_start && peek(s, 1) == '(') {
		push(s, (struct frame){ .kind = FRAME_ARITHMETIC, .depth = 2 });
		s->i += 2;
	} else {
		push(s, (struct frame){ .kind = FRAME_PAREN, .words = !s->command_start });
		s->i++;
		at_command(s);
	}
}

static void close_paren(struct scan *s)
{
	struct frame *f = top(s);

	if (f->kind == FRAME_CASE && !f->pattern) {
		pop(s); /* without its esac: the parenthesis is that around it */
		return;
	}
	s->i++;
	at_command(s);
	if (f->kind == FRAME_CASE)
		f->pattern = false;
	else if (f->kind == FRAME_SUBSTITUTION)
		in_word(s);
	if (f->kind == FRAME_PAREN || f->kind == FRAME_SUBSTITUTION)
		pop(s);
}

static void separator(struct scan *s)
{
	struct frame *f = top(s);

	if (f->kind == FRAME_CASE && s->s[s->i] == ';' && (peek(s, 1) == ';' || peek(s, 1) == '&'))
		f->pattern = true;
	s->i++;
	at_command(s);
}

static bool is_word(const char *word, size_t len, const char *other)
{
	return len == strlen(other) && !memcmp(word, other, len);
}

static bool leaves_command_start(const char *word, size_t len)
{
	static const char *const list[] = { "!", "{", "if", "then", "else", "elif", "do", "while",
		"until", "time", NULL };
	for (const char *const *w = list; *w; w++)
		if (is_word(word, len, *w))
			return true;
	return false;
}

/*
 * case is the one construct with parentheses that do not pair, so that "$(case x in a) ...)"
 * is understood only by following it.
 */
static void whole_word(struct scan *s, const char *word, size_t len)
{
	struct frame *f = top(s);
	bool command = s->command_start && !f->words;

	s->command_start = false;
	if (f->subject) {
		f->pattern = is_word(word, len, "in");
		f->subject = !f->pattern;
	} else if (f->kind == FRAME_CASE && is_word(word, len, "esac") && (command || f->pattern))
		pop(s);
	else if (f->pattern)
		return;
	else if (command && is_word(word, len, "case"))
		push(s, (struct frame){ .kind = FRAME_CASE, .subject = true });
	else if (command && leaves_command_start(word, len))
		s->command_start = true;
}

static void plain_word(struct scan *s)
{
	size_t start = s->i;

	while (s->i < s->len && s->s[s->i] && !strchr("'\"`$\\", s->s[s->i]) &&
		!ends_word(s->s[s->i]))
		s->i++;
	if (s->word_start && (s->i == s->len || ends_word(s->s[s->i])))
		whole_word(s, s->s + start, s->i - start);
	else
		s->command_start = false;
	s->word_start = false;
}

static void backslash(struct scan *s)
{
	char next = peek(s, 1);

	skip_escape(s);
	if (!next)
		value(s, SHELL_BACKSLASH);
	if (next != '\n')
		in_word(s);
}

static void bare_step(struct scan *s)
{
	switch (s->s[s->i]) {
	case '\0':
		value(s, SHELL_BARE);
		in_word(s);
		break;
	case '\\':
		backslash(s);
		break;
	case '\'':
		single_quotes(s);
		in_word(s);
		break;
	case '"':
		s->i++;
		push(s, (struct frame){ .kind = FRAME_DOUBLE });
		break;
	case '`':
		backquotes(s);
		in_word(s);
		break;
	case '$':
		dollar(s);
		break;
	case '\n':
		newline(s);
		break;
	case ' ':
	case '\t':
		s->i++;
		s->word_start = true;
		break;
	case ';':
	case '&':
	case '|':
		separator(s);
		break;
	case '(':
		open_paren(s);
		break;
	case ')':
		close_paren(s);
		break;
	case '<':
	case '>':
		redirection(s);
		break;
	default:
		if (s->s[s->i] == '#' && s->word_start)
			comment(s);
		else
			plain_word(s);
	}
}

static void (*const steps[])(struct scan *s) = {
	[FRAME_BASE] = bare_step,
	[FRAME_PAREN] = bare_step,
	[FRAME_SUBSTITUTION] = bare_step,
	[FRAME_CASE] = bare_step,
	[FRAME_DOUBLE] = double_step,
	[FRAME_BRACES] = braces_step,
	[FRAME_ARITHMETIC] = arithmetic_step,
};

void shell_contexts(const char *text, size_t len, enum shell_context *found)
{
	struct scan *s = mem_alloc(sizeof(*s));
	struct heredoc *h;

	s->s = text;
	s->len = len;
	s->found = found;
	s->nframes = 1;
	at_command(s);
	while (s->i < s->len && !s->too_deep)
		steps[top(s)->kind](s);
	for (; s->i < s->len; s->i++)
		if (!s->s[s->i])
			*s->found++ = SHELL_TOO_DEEP;
	vec_each (h, &s->heredocs)
		str_release(&h->end);
	vec_release(&s->heredocs);
	free(s);
}
