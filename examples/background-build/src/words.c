#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

/* Words are parted by white space, as in wc -w. */
static unsigned long count_words(FILE *in)
{
	unsigned long words = 0;
	bool inside = false;
	for (int c; (c = getc(in)) != EOF;) {
		bool space = isspace(c);
		words += !space && !inside;
		inside = !space;
	}
	return words;
}

int main(int argc, char **argv)
{
	FILE *in = argc > 1 ? fopen(argv[1], "r") : stdin;
	if (!in) {
		perror(argv[1]);
		return 1;
	}
	unsigned long words = count_words(in);
	if (ferror(in)) {
		perror("words");
		return 1;
	}
	printf("%lu\n", words);
	return 0;
}
