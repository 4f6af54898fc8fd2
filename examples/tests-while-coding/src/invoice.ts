import { roundCents } from "./money.js";

export interface Line {
	text: string;
	quantity: number;
	priceCents: number;
}

/** What an invoice comes to, in cents. Each line is rounded by itself. */
export function total(lines: Line[]): number {
	return lines.reduce((sum, line) => sum + roundCents(line.quantity * line.priceCents), 0);
}
