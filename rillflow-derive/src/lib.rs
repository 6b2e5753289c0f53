//! The derives and attributes of rillflow; use them through the `rillflow` crate, which documents them.
//!
//! Each goes through three steps: `attrs` reads attributes into plain values with spans, `model` checks them and holds
//! every refusal, `expand` writes the code and cannot fail.

mod attrs;
mod expand;
mod model;

use attrs::problems::Problems;
use proc_macro::TokenStream;

/// The code that `make` writes, and the mistakes it met on the way.
fn derive(make: impl FnOnce(&mut Problems) -> proc_macro2::TokenStream) -> TokenStream {
    let mut problems = Problems::default();
    let mut code = make(&mut problems);
    code.extend(problems.into_tokens());
    code.into()
}

/// Makes a struct a document: a collection of its own, typed paths for queries, and declared indexes.
///
/// The trait of the same name shows an example.
///
/// | on the struct | |
/// |---|---|
/// | `collection = "customers"` | names the collection; else the type's name in snake case and an `s` |
/// | `index(status, created_at desc)` | an index over these fields, nested ones as `address.city` |
/// | `unique(..)` | the same, and no two documents share the values |
/// | `text_pattern(title)` | an index over one text field, which serves `starts_with` |
/// | `trigram(title)` | an index over one text field, which serves `like`, `ilike`, `ends_with` and `contains_text`; the schema's sync makes PostgreSQL's extension `pg_trgm` |
/// | `fulltext(language = "english", title, body)` | an index over the words of these texts, which serves `c.search(words)`; `c.rank().desc()` orders by how well a document fits them |
/// | `column(address.city)` | as `column` on a field, for fields inside of what the document holds, also of one variant of an enum: the column is `doc_address_city` |
/// | `references(address.country = Country)` | as `references` on a field, for fields inside |
/// | `metadata` | columns for correlation, causation, headers and who wrote last: `Docs::with_metadata` |
/// | `gin` | an index over everything inside, which serves `contains`, `has_entry` and `any` |
/// | `soft_delete` | deleting keeps the row, so that it can be restored |
///
/// A key may say where documents without a value go, `score desc nulls_last`, as an order does.
///
/// An index may be given a name: `index(status, name = "customers_by_status")`. A name that would be too long for
/// PostgreSQL is cut and ends in a hash of the whole.
///
/// Any of them may hold some of the documents only: `index(opened_at desc, where(|t| t.status == Status::Open))`,
/// `unique(email, where(not_deleted))`, `gin(where(not_deleted, |t| t.listed))`. The closure is a condition as `filter` takes
/// it, with literals and variants for values. Such an index serves the queries whose filter says the same with literals,
/// or more: a parameter does not count, since a plan is made before its value is known. A comparison with anything says
/// `is_some()`; `not_deleted` is what every query says that does not ask for deleted documents.
///
/// | on a field | |
/// |---|---|
/// | `id` | the id: exactly one field, a `Uuid`, `i64`, `String` or a newtype of one |
/// | `id(v7)`, `id(sequence)` | the id, made by `Docs::create`: a UUID of version 7, or a number of the collection's own sequence |
/// | `index`, `unique` | as above, for this field alone; also `unique(where(..), name = "..")` |
/// | `column` | its value is also in a column of its own, `doc_` and its name, which PostgreSQL keeps and queries use, with an index |
/// | `references = Customer` | it holds the id of another document: a column as above, and a foreign key |
/// | `opaque` | JSON that queries do not look into: any type that serde writes |
/// | `skip` | the field has no path in queries |
///
/// serde's `rename`, `rename_all`, `default`, `skip`, `skip_serializing_if` and `flatten` are followed. What changes the
/// JSON in ways that types do not show (`with`, `serialize_with`, `tag`, `transparent` and the like) is refused where it
/// stands, since a query would look in the wrong place; on a field, `opaque` or `skip` accepts it.
///
/// A path is visible to those who see both the struct and the field.
#[proc_macro_derive(Document, attributes(document))]
pub fn document(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive(|problems| {
        let document = model::document::check(&input, problems);
        document.map_or_else(|| expand::document::refused(&input), |document| expand::document::document(&document))
    })
}

/// Gives a struct that is nested in documents typed paths: `c.address.city`.
///
/// Fields take `#[document(opaque)]` and `#[document(skip)]`, as in `Document`; ids and indexes are declared on the
/// document. The trait `DocumentValue` shows an example.
#[proc_macro_derive(DocumentFields, attributes(document))]
pub fn document_fields(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive(|problems| {
        let fields = model::document::check_nested(&input, problems);
        fields.map(|fields| expand::document::nested(&fields)).unwrap_or_default()
    })
}

/// Makes an enum, or a struct with one field, a value that documents hold and queries compare.
///
/// An enum of unit variants is text, under the names that serde's `rename` and `rename_all` give its variants. A newtype
/// is what it wraps, and names documents and streams as that does. The trait of the same name shows an example.
///
/// An enum whose variants hold data is asked for its variant, `c.payment.is_card()`, and has a path per variant with
/// named fields or one value, `c.payment.card.number`, which finds nothing in the others. serde's `tag` and `content`
/// are followed; with them the name itself is `c.payment.variant`, which an index can hold. Of an `untagged` enum, of
/// variants with several unnamed values, and of variants or values marked `#[document(opaque)]`, nothing is seen inside.
#[proc_macro_derive(DocumentValue, attributes(document))]
pub fn document_value(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive(|problems| {
        let value = model::value::check(&input, problems);
        value.map(|value| expand::value::value(&value)).unwrap_or_default()
    })
}

/// Makes a function a query whose SQL is written, and whose indexes are checked, while it compiles.
///
/// The function takes plain arguments, returns `impl Query<_>`, and its body is one chain that begins with
/// `SomeDocument::query()`. The trait `Query` shows an example.
///
/// | step | |
/// |---|---|
/// | `filter(\|c\| ..)` | a condition; several must all hold |
/// | `filter_if(argument, \|c, value\| ..)` | a condition that is left out when the argument, an `Option`, is `None`; the text is the same |
/// | `order_by(\|c\| c.created_at.desc())` | `.asc()` or `.desc()` of a field, or a tuple of such; then `.nulls_first()` or `.nulls_last()` |
/// | `limit(n)`, `offset(n)` | a range |
/// | `select(\|c\| ..)` | a field, a tuple of up to eight, or a struct: `Contact { email: c.email }`, built as it stands there, whatever its serde names |
/// | `distinct()` | of what is selected, each row once |
/// | `group_by(\|c\| (c.status, c.address.city))` | a field or a tuple: one row for all documents with the same values |
/// | `having(\|c, g\| g.count() > 1)` | a condition on groups |
/// | `include::<Customer>(\|o\| o.customer)` | beside each document the one whose id is in the field: gives `(Order, Option<Customer>)` |
/// | `include_many::<Order>(\|o\| o.customer)` | beside each document those that hold its id: gives `(Customer, Vec<Order>)` |
/// | `include_deleted()`, `only_deleted()` | soft-deleted documents too, or alone |
/// | none of the following | gives `Vec<_>` |
/// | `one()` | gives `Option<_>`; a second row found is an error |
/// | `first()` | gives `Option<_>`, the first in the order |
/// | `count()`, `exists()` | give `i64` and `bool` |
/// | `min`, `max`, `sum`, `avg` of `\|c\| c.field` | give `Option<_>`, none when no document found has a value |
/// | `page(after, size)` | gives `Page<_>`: what comes after an `Option<Cursor>` |
/// | `numbered_page(number, size)` | gives `NumberedPage<_>`: that page, from 1, and how many rows there are in all |
///
/// Conditions are `==`, `!=`, `<`, `<=`, `>`, `>=` between a field and a value or another field, a `bool` field alone, and
/// the methods `between`, `one_of`, `is_null`, `is_some`; `starts_with`, `ends_with`, `contains_text`, `like`, `ilike` and
/// `regex` of text; `contains`, `any`, `is_empty` and `len() > n` of lists; `has_key` and `has_entry` of maps, whose value
/// under a key is a field too, `c.labels.get("color") == "red"`; joined by `&&`, `||` and `!`.
/// They mean what they mean in Rust: a missing value differs from every value, and `!` turns false into true also
/// where a value is missing.
///
/// A value is a literal or an enum's variant, which becomes part of the SQL; an argument, which becomes a parameter;
/// or any other expression, which is computed when the function is called and becomes a parameter too.
///
/// # Rows
///
/// A field behind an `Option`, or one that serde may leave out, is an `Option` in a row. Several includes make a longer
/// tuple; documents included are in the order of their ids, and soft-deleted ones are left out.
///
/// Behind `group_by`, closures take the document's fields and the group: `g.count()`, `g.sum(c.total)`, `g.avg(..)`,
/// `g.min(..)` and `g.max(..)`, and of the fields those that are keys. The trait `Query` shows an example.
///
/// # Where it can stand
///
/// On free functions, and on associated functions without `self`; `Self` is not known inside. In a generic `impl` block,
/// Rust wants its parameters named behind the result: `-> impl Query<Vec<Customer>> + use<T>`. The function may have lifetimes, but no type or const parameters: the text is made once.
///
/// What the macros write names `::rillflow`. A crate that renames the dependency says once, in its root,
/// `extern crate its_name as rillflow;`.
///
/// # Indexes
///
/// A query that no declared index serves does not compile:
///
/// - of conditions joined by `&&` one must be served, of those joined by `||` all;
/// - a comparison, `one_of` or a null test is served by an index that begins with the field, or by the id;
/// - `contains`, `has_entry`, `==` with a map's value, and `any` of equalities, are served by `gin`;
/// - `starts_with` is served by `text_pattern`, as is `like` of a literal that begins with a plain character; `like`,
///   `ilike`, `ends_with` and `contains_text` are served by `trigram`, the better the longer the text;
/// - `!`, `!=`, `regex`, `len`, `is_empty`, `has_key`, two fields, and `filter_if` are served by none;
/// - an order is served by an index whose keys, after those that the filter compares by `==`, follow it, all in the
///   same or all in the opposite direction; the id may come last;
/// - the order of groups and of distinct rows needs none, nor does `having`; `include_many` needs one that begins with
///   the field that holds the id;
/// - without a filter the whole collection is read, which only `exists`, `min` and `max` of a field that begins an
///   index, or a limit (a page, `first`) and an order that an index delivers, make cheap.
///
/// `#[compiled_query(allow(scan))]` accepts reading the whole collection, and with it sorting;
/// `#[compiled_query(allow(sort))]` accepts sorting what was found.
#[proc_macro_attribute]
pub fn compiled_query(attr: TokenStream, item: TokenStream) -> TokenStream {
    let function = syn::parse_macro_input!(item as syn::ItemFn);
    derive(|problems| {
        let query = model::query::check(attr.into(), &function, problems);
        match query {
            Some(query) if problems.is_empty() => expand::query::query(&query, &function),
            query => expand::query::refused(query.as_ref(), &function),
        }
    })
}

/// Makes an enum of payload structs a set of events that can be stored and read back.
///
/// Each variant holds one struct that is `Serialize` and `Deserialize`. On a variant:
///
/// - `#[event(name = "order-placed")]`: the stored name; by default the variant's in kebab-case.
/// - `#[event(version = 3, upcast(1 => placed_v1, 2 => placed_v2))]`: the version that is written, by default 1, and one
///   function per older version. `placed_v1` takes the payload as it was at version 1 and returns version 2's;
///   `placed_v2` returns the current one. A missing step, or one that leads elsewhere, does not compile.
///   `upcast(1 => json placed_v1)` is a step from `serde_json::Value` to `serde_json::Value`.
/// - `#[event(was = "placed", was = "order_placed")]`: names that this event was stored under before. They are read as
///   this event, with the same version numbers.
///
/// On the enum, an event that is gone and was two things at once:
///
/// - `#[event(split("registered" => split_registered -> (Opened, Verified)))]`: what is stored as `registered`, version 1, is
///   read as `Opened` and then `Verified`. `split_registered` takes the payload as it was stored and returns a tuple of
///   their payloads. A version other than 1 follows the name: `split("registered", 2 => ..)`.
///
/// A payload belongs to one enum, since handlers tell events apart by it. `rillflow::EventSet` has a complete example.
#[proc_macro_derive(Event, attributes(event))]
pub fn event(item: TokenStream) -> TokenStream {
    expand::event::event(item.into()).into()
}

/// Makes fields of an event's payload its tags: what it is about beside its stream.
///
/// - `#[event(tag)]` on a field: a tag of the field's name. The field is text, a `Uuid`, a whole number, a `bool`, a newtype
///   of one that derives `DocumentValue`, or an `Option` or `Vec` of these.
/// - `#[event(tag = "student")]`: a tag of another name.
///
/// The enum that derives `Event` finds out by itself. The trait of the same name shows an example.
#[proc_macro_derive(EventTags, attributes(event))]
pub fn event_tags(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive(|problems| {
        let payload = model::tags::check(&input, problems);
        match payload.filter(|_| problems.is_empty()) {
            Some(payload) => expand::tags::tags(&payload),
            None => expand::tags::refused(&input),
        }
    })
}

/// Makes a type the state of one kind of stream. The type is `Default`; its handlers are in a `#[handlers]` impl.
///
/// - `#[aggregate(events = OrderEvent)]`: the events of its streams. Each needs a handler, or does not compile.
/// - `#[aggregate(stream = "order")]`: the category of its streams; by default the type's name in kebab-case.
/// - `#[aggregate(validate = Order::check)]`: looks at the state that events lead to before they are appended, through
///   whatever method: `fn check(&self) -> Result<(), E>`. Its error refuses them.
/// - `#[aggregate(snapshot_every = 100)]`: keeps a snapshot at every crossing of so many events. The type is `Serialize`
///   and `Deserialize`. A snapshot of other fields than the type has now is not read.
/// - `#[aggregate(snapshot_version = 2)]`: tells snapshots apart when the fields are the same and what they mean is not:
///   a type inside of them changed, or a handler.
///
/// `rillflow::Aggregate` has a complete example.
#[proc_macro_derive(Aggregate, attributes(aggregate))]
pub fn aggregate(item: TokenStream) -> TokenStream {
    expand::aggregate::aggregate(item.into()).into()
}

/// Makes the methods `on_..` of an impl the handlers of an aggregate; all others stay as they are.
///
/// A handler is `fn on_placed(&mut self, e: &Placed)`. The type of its parameter says which event it handles; its name
/// says so to people. Events that do not change the state are listed: `#[handlers(ignore(Shipped, Cancelled))]`.
///
/// `rillflow::Aggregate` has a complete example.
#[proc_macro_attribute]
pub fn handlers(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::handlers::handlers(attr.into(), item.into()).into()
}

/// Makes an impl a projection: events of many streams folded into documents.
///
/// - `name = "customer-sales"`: the name of its checkpoint.
/// - `version = 3`: by default 1; a new one builds the documents anew.
/// - `events = OrderEvent`: the events it reads.
/// - `document = CustomerSales`: the documents it keeps; the type is `Default`.
/// - `ignore(Shipped)`: the events that change nothing. They are never read.
/// - `key = stream`: an event changes the document with its stream's id, which is made by `From<Uuid>`. Without it each
///   event has a key function.
/// - `shards = 4`: with `key = stream`, splits it by stream into so many parts, spread over the processes that run it.
///
/// In the impl, for each event a handler and a key, written with the event's type in the same words:
///
/// - `#[key] fn of_placed(e: &Placed) -> CustomerId`: which document the event changes; `Option<CustomerId>` for perhaps
///   none, `Vec<CustomerId>` for several.
/// - `fn on_placed(doc: &mut CustomerSales, e: &Placed)`: how it changes; returns nothing or a `Result<(), E>`.
///
/// Both may take the event as recorded, `at: &EventEnvelope`, behind it. A handler may look at documents of other collections
/// as well, `customer: Option<&Customer>` or `articles: Vec<&Article>`, each with a function that says which:
///
/// - `#[lookup] fn customer_of(e: &Placed) -> CustomerId`: its id, or an `Option` or, for several, a `Vec`.
///   `#[lookup(customer)]` names the parameter where a handler has more than one.
///
/// Other functions stay as they are.
///
/// `rillflow::DocumentProjection` has a complete example.
#[proc_macro_attribute]
pub fn projection(attr: TokenStream, item: TokenStream) -> TokenStream {
    expand::projection::projection(attr.into(), item.into()).into()
}
