export function chunk(list, size) {
	const chunks = [];
	for (let i = 0; i < list.length; i += size) {
		chunks.push(list.slice(i, i + size));
	}
	return chunks;
}
