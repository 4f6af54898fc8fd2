create table product (
	id integer primary key,
	name text not null,
	price_cents integer not null check (price_cents >= 0),
	stock integer not null default 0
);

create table customer (
	id integer primary key,
	email text not null unique
);

create table orders (
	id integer primary key,
	customer integer not null references customer,
	placed_at text not null,
	state text not null check (state in ('open', 'paid', 'sent', 'cancelled'))
);

create table order_line (
	orders integer not null references orders,
	product integer not null references product,
	quantity integer not null check (quantity > 0),
	primary key (orders, product)
);
