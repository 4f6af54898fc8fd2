import { verify } from "../passwords.js";
import type { Accounts, Answer } from "../types.js";

/** POST /login: a session for the right password. The same answer whether or not there is an account. */
export async function login(accounts: Accounts, body: { email?: unknown; password?: unknown }): Promise<Answer> {
	if (typeof body.email !== "string" || typeof body.password !== "string") {
		return { status: 400, body: { error: "email_and_password_needed" } };
	}
	const account = await accounts.byEmail(body.email);
	if (!account || !(await verify(body.password, account.passwordHash))) {
		return { status: 401, body: { error: "wrong_email_or_password" } };
	}
	return { status: 200, body: { session: await accounts.startSession(account.id) } };
}
