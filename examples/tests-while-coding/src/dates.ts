/** The day by which an invoice is due. A Saturday or Sunday moves on to Monday. Days are in UTC. */
export function dueDate(issued: Date, days: number): Date {
	const due = new Date(issued);
	due.setUTCDate(due.getUTCDate() + days);
	while (due.getUTCDay() === 0 || due.getUTCDay() === 6) {
		due.setUTCDate(due.getUTCDate() + 1);
	}
	return due;
}
