use super::*;
use crate::model::catalog::{Column, Constraint, IndexState, Trigger};

fn column(name: &str, data_type: &str, clause: Option<&str>) -> Column {
    Column { name: name.into(), data_type: data_type.into(), not_null: false, clause: clause.map(str::to_owned) }
}

fn index(definition: &str) -> IndexState {
    IndexState { definition: definition.into(), valid: true }
}

/// A catalog with one table of every kind of part, changed by `change`.
fn catalog(change: impl FnOnce(&mut Catalog)) -> Catalog {
    let table = Table {
        options: ["fillfactor=80".to_owned()].into(),
        columns: vec![
            column("id", "uuid", None),
            column("n", "integer", Some("DEFAULT 1")),
            column("g", "text", Some("GENERATED ALWAYS AS (f(id)) STORED")),
        ],
        constraints: BTreeMap::from([
            (
                "t_n".into(),
                Constraint { definition: "CHECK ((n > 0))".into(), foreign_key: false, checked_later: true },
            ),
            (
                "t_id_fk".into(),
                Constraint {
                    definition: "FOREIGN KEY (id) REFERENCES \u{1}.u(id)".into(),
                    foreign_key: true,
                    checked_later: true,
                },
            ),
        ]),
        indexes: BTreeMap::from([("t_n_idx".into(), index("CREATE UNIQUE INDEX t_n_idx ON \u{1}.t USING btree (n)"))]),
        triggers: BTreeMap::from([(
            "t_trigger".into(),
            Trigger { definition: "CREATE TRIGGER t_trigger BEFORE INSERT ON \u{1}.t ..".into(), enabled: true },
        )]),
        ..Table::default()
    };
    let mut catalog = Catalog {
        tables: BTreeMap::from([("t".into(), table)]),
        sequences: BTreeMap::from([("s".into(), "AS bigint CACHE 1".into())]),
        functions: BTreeMap::from([("rillflow_f()".into(), "CREATE OR REPLACE FUNCTION \u{1}.rillflow_f() ..".into())]),
    };
    change(&mut catalog);
    catalog
}

fn table(catalog: &mut Catalog) -> &mut Table {
    catalog.tables.get_mut("t").expect("the table")
}

/// The steps from a changed catalog to the wanted one.
fn steps(change: impl FnOnce(&mut Catalog)) -> Vec<SchemaStep> {
    difference(&catalog(change), &catalog(|_| {}), &SchemaName::new("app").expect("a name"))
}

fn one(change: impl FnOnce(&mut Catalog)) -> SchemaStep {
    let mut steps = steps(change);
    assert_eq!(steps.len(), 1, "{steps:?}");
    steps.remove(0)
}

#[test]
fn what_is_as_wanted_needs_no_step() {
    assert_eq!(steps(|_| {}), []);
}

#[test]
fn each_part_that_is_missing_or_other_is_one_step() {
    type Change = (fn(&mut Catalog), &'static str, TableLock);
    let changes: [Change; 14] = [
        (|c| c.functions.clear(), "function rillflow_f(): create", TableLock::Nothing),
        (|c| c.sequences.clear(), "sequence s: create", TableLock::Nothing),
        (
            |c| drop(c.sequences.insert("s".into(), "AS bigint CACHE 20".into())),
            "sequence s: restore its settings",
            TableLock::ShareRowExclusive,
        ),
        (|c| table(c).options.clear(), "table t: restore its settings", TableLock::ShareUpdateExclusive),
        (|c| drop(table(c).columns.remove(1)), "column t.n: add", TableLock::AccessExclusive),
        (|c| table(c).columns[1].clause = None, "column t.n: restore its default", TableLock::AccessExclusive),
        (|c| table(c).columns[0].not_null = true, "column t.id: drop NOT NULL", TableLock::AccessExclusive),
        (|c| drop(table(c).constraints.remove("t_n")), "constraint t_n: add", TableLock::AccessExclusive),
        (|c| drop(table(c).constraints.remove("t_id_fk")), "constraint t_id_fk: add", TableLock::ShareRowExclusive),
        (|c| table(c).indexes.clear(), "index t_n_idx: create", TableLock::ShareUpdateExclusive),
        (
            |c| table(c).indexes.values_mut().for_each(|it| it.valid = false),
            "index t_n_idx: build again, as its build broke off",
            TableLock::ShareUpdateExclusive,
        ),
        (
            |c| table(c).indexes.values_mut().for_each(|it| it.definition.push_str(" WHERE true")),
            "index t_n_idx: replace by its new definition",
            TableLock::ShareUpdateExclusive,
        ),
        (|c| table(c).triggers.clear(), "trigger t_trigger: create", TableLock::ShareRowExclusive),
        (
            |c| table(c).triggers.values_mut().for_each(|it| it.enabled = false),
            "trigger t_trigger: enable",
            TableLock::ShareRowExclusive,
        ),
    ];
    for (change, description, lock) in changes {
        let step = one(change);
        assert_eq!((step.description.as_str(), step.lock, step.destructive), (description, lock, false));
        assert!(!step.sql().contains('\u{1}'), "{}", step.sql());
    }
}

#[test]
fn what_would_lose_something_is_destructive_and_comes_last() {
    let changes: [fn(&mut Catalog); 6] = [
        |c| table(c).columns.push(column("old", "text", None)),
        |c| table(c).columns[0].data_type = "text".into(),
        |c| table(c).columns[2].clause = None,
        |c| {
            drop(
                table(c)
                    .indexes
                    .insert("t_old_idx".into(), index("CREATE INDEX t_old_idx ON \u{1}.t USING btree (id)")),
            )
        },
        |c| drop(c.functions.insert("rillflow_old()".into(), String::new())),
        |c| drop(table(c).triggers.insert("t_old".into(), Trigger { definition: String::new(), enabled: true })),
    ];
    for change in changes {
        assert!(one(change).destructive);
    }
    let both = steps(|c| {
        table(c).columns.insert(0, column("old", "text", None));
        table(c).triggers.clear();
    });
    assert_eq!(both.iter().map(|step| step.destructive).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn what_others_add_under_names_of_their_own_is_left_alone() {
    let added = steps(|c| {
        table(c).options.insert("autovacuum_enabled=false".into());
        table(c).indexes.insert("dba_idx".into(), index("CREATE INDEX dba_idx ON \u{1}.t USING btree (id)"));
        table(c).triggers.insert("audit".into(), Trigger { definition: String::new(), enabled: true });
        c.tables.insert("somebody_elses".into(), Table::default());
    });
    assert_eq!(added, []);
}

#[test]
fn an_index_is_replaced_while_the_old_one_serves() {
    let step = one(|c| table(c).indexes.values_mut().for_each(|it| it.definition.push_str(" WHERE true")));
    let [leftover, build, swap] = &step.statements[..] else { panic!("{:?}", step.statements) };
    assert!(leftover.starts_with("DROP INDEX CONCURRENTLY IF EXISTS \"app\".\"rillflow_building_"), "{leftover}");
    assert!(build.starts_with("CREATE UNIQUE INDEX CONCURRENTLY \"rillflow_building_"), "{build}");
    assert!(build.ends_with(" ON \"app\".t USING btree (n)"), "{build}");
    assert!(swap.starts_with("DROP INDEX \"app\".\"t_n_idx\";\nALTER INDEX"), "{swap}");
}

#[test]
fn a_constraint_that_was_added_but_not_checked_is_only_checked() {
    let step = one(|c| {
        table(c)
            .constraints
            .values_mut()
            .filter(|it| !it.foreign_key)
            .for_each(|it| it.definition.push_str(" NOT VALID"))
    });
    assert_eq!(step.statements, ["ALTER TABLE \"app\".\"t\" VALIDATE CONSTRAINT \"t_n\""]);
    assert_eq!(step.lock, TableLock::ShareUpdateExclusive);
}

#[test]
fn keys_to_other_tables_come_after_all_tables() {
    let made = difference(&Catalog::default(), &catalog(|_| {}), &SchemaName::default());
    let made: Vec<_> = made.iter().map(|step| step.description.as_str()).collect();
    assert_eq!(
        made,
        ["function rillflow_f(): create", "sequence s: create", "table t: create", "constraint t_id_fk: add"]
    );
}
