export async function retry(call, times) {
	for (;;) {
		try {
			return await call();
		} catch (error) {
			if (times-- <= 0) throw error;
		}
	}
}
