export function debounce(call, ms) {
	let timer;
	return (...args) => {
		clearTimeout(timer);
		timer = setTimeout(() => call(...args), ms);
	};
}
