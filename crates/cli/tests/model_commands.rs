//! What `stoa model` prints, command by command, on an embedded network of its own: the words are part of the interface.

mod support;

use support::Stoa;

/// One session: commands build on each other, as a person's do.
#[test]
fn should_lead_a_publisher_from_a_folder_into_the_library_and_a_reader_out_of_it() {
    let stoa = Stoa::deployed();
    stoa.copy_digits("digits");
    stoa.remove("digits/model.toml");

    insta::assert_snapshot!(
        "init",
        stoa.transcript(&[
            &["model", "init", "digits"],
            &["model", "init", "digits"],
            &["model", "init", "digits", "--replace", "--json"],
            &["model", "init", "nowhere"],
            &["model", "init", "empty"],
        ])
    );
    insta::assert_snapshot!(
        "push",
        stoa.transcript(&[
            &["model", "push", "digits"],
            &["publisher", "claim", "example"],
            &["model", "push", "empty"],
            &["model", "push", "digits", "--publisher", "somebody"],
            &["model", "push", "digits"],
            &["model", "push", "digits"],
            &["model", "push", "digits", "--json"],
        ])
    );
    insta::assert_snapshot!(
        "before_admission",
        stoa.transcript(&[
            &["model", "list"],
            &["model", "list", "--mine"],
            &["model", "show", "example/digits"],
            &["model", "show", "example/digits@1.0.0"],
            &["model", "price", "example/digits", "0.01"],
            &["model", "price", "example/other", "0.01"],
            &["model", "price", "example/digits", "much"],
            &["model", "withdraw", "example/digits@1.0.0"],
            &["model", "withdraw", "example/digits@1.0.0"],
        ])
    );
    // How much of it the shards have let go of by now is a matter of moments.
    stoa.succeed(&["model", "push", "digits"]);
    insta::assert_snapshot!(
        "submit",
        stoa.transcript(&[
            &["model", "submit", "example/digits@2.0.0"],
            &["model", "submit", "example/digits@1.0.0"],
            &["model", "submit", "example/digits@1.0.0"],
        ])
    );
    stoa.admit("example/digits@1.0.0");
    insta::assert_snapshot!(
        "in_the_library",
        stoa.transcript(&[
            &["model", "show", "example/digits"],
            &["model", "show", "example/digits", "--json"],
            &["model", "list"],
            &["model", "list", "example/digits"],
            &["model", "list", "--task", "text-classification"],
            &["model", "search", "digits"],
            &["model", "search", "digits", "--json"],
            &["model", "search", "nothing", "like", "it"],
            &["model", "pull", "example/digits"],
            &["model", "pull", "example/digits"],
            &[
                "model",
                "pull",
                "example/digits@stable",
                "elsewhere",
                "--json"
            ],
            &["model", "pull", "example/digits@best"],
            &["model", "pull", "digits"],
            &[
                "model",
                "pull",
                "0000000000000000000000000000000000000000000000000000000000000000"
            ],
            &["model", "verify", "example/digits@1.0.0"],
            &["model", "verify", "example/digits@1.0.0", "--json"],
            &[
                "model",
                "verify",
                "example/digits",
                "--folder",
                "digits-1.0.0"
            ],
            &["model", "verify", "example/digits", "--folder", "empty"],
        ])
    );
}

#[test]
fn should_say_where_to_look_when_nothing_answers() {
    let stoa = Stoa::without_network();
    stoa.copy_digits("digits");
    insta::assert_snapshot!(
        "without_network",
        stoa.transcript(&[
            &["model", "list"],
            &["model", "pull", "example/digits", "--json"],
        ])
    );
}
