/** Whole cents. Halves go to the even neighbour, so that sums of many lines don't drift. */
export function roundCents(cents: number): number {
	const floor = Math.floor(cents);
	const rest = cents - floor;
	if (rest !== 0.5) {
		return Math.round(cents);
	}
	return floor % 2 === 0 ? floor : floor + 1;
}

/** As in 1234 → "12.34"; negative amounts have the sign in front. */
export function format(cents: number): string {
	const sign = cents < 0 ? "-" : "";
	const digits = String(Math.abs(cents)).padStart(3, "0");
	return `${sign}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}
