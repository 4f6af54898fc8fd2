export function sum(numbers) {
	return numbers.reduce((total, number) => total + number, 0);
}

export function mean(numbers) {
	return numbers.length > 0 ? sum(numbers) / numbers.length : undefined;
}
