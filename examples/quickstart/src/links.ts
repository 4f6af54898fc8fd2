/** A short link: what its id stands for, and how often it was followed. */
export interface Link {
	id: string;
	url: string;
	visits: number;
}

const alphabet = "23456789abcdefghjkmnpqrstuvwxyz";

/** Links in memory. Ids are random and 6 characters long; none looks like another (no 0, o, 1, l, i). */
export class Links {
	private readonly byId = new Map<string, Link>();

	/** Throws a RangeError if the URL is not http or https, or longer than 2000 characters. */
	add(url: string): Link {
		if (url.length > 2000 || !/^https?:\/\/\S+$/.test(url)) {
			throw new RangeError("url must be http or https, and at most 2000 characters");
		}
		const link = { id: this.freshId(), url, visits: 0 };
		this.byId.set(link.id, link);
		return link;
	}

	get(id: string): Link | undefined {
		return this.byId.get(id);
	}

	/** The same as get(), and counts a visit. */
	follow(id: string): Link | undefined {
		const link = this.byId.get(id);
		if (link) {
			link.visits += 1;
		}
		return link;
	}

	remove(id: string): boolean {
		return this.byId.delete(id);
	}

	private freshId(): string {
		for (;;) {
			const id = Array.from({ length: 6 }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join("");
			if (!this.byId.has(id)) {
				return id;
			}
		}
	}
}
