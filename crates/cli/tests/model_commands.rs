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
            &["model", "list", "--status", "any"],
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

const MIB: usize = 1 << 20;

/// The network ends as by `kill -9` in the middle of a push, and the client by Ctrl-C in the middle of another.
#[test]
fn should_go_on_with_a_push_after_the_network_was_killed_and_after_an_interrupt() {
    let stoa = Stoa::deployed_on_a_state_folder();
    stoa.copy_digits("digits");
    let description = stoa.path("digits/model.toml");
    let text = std::fs::read_to_string(&description).unwrap();
    let files = r#"files = ["digits.onnx", "README.md"]"#;
    assert!(text.contains(files));
    let with_extra = text.replace(
        files,
        r#"files = ["digits.onnx", "README.md", "extra.bin"]"#,
    );
    std::fs::write(&description, with_extra).unwrap();
    // No chunk is like another.
    let extra: Vec<u8> = (0..90 * MIB as u64)
        .map(|i| ((i >> 20) ^ (i * 31)) as u8)
        .collect();
    std::fs::write(stoa.path("digits/extra.bin"), &extra).unwrap();
    stoa.succeed(&["publisher", "claim", "example"]);
    let pushing = ["model", "push", "digits", "--json"];

    let before = stoa.state_bytes();
    let interrupted = stoa.start(&pushing);
    stoa.wait_for_state(before + 45 * MIB as u64);
    let pid = interrupted.id().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let ended = interrupted.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(
        said.contains("the same command goes on where this one stopped"),
        "{said}"
    );

    let push = stoa.start(&pushing);
    stoa.wait_for_state(before + 100 * MIB as u64);
    stoa.kill_network();
    std::thread::sleep(std::time::Duration::from_millis(500));
    stoa.start_network_again();
    let ended = push.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{said}");
    let pushed: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    let number = |key: &str| pushed[key].as_u64().unwrap();
    assert!(
        number("present_bytes") > 4 * MIB as u64,
        "the first push was not for nothing: {pushed}"
    );
    assert!(number("sent_bytes") > 0, "{pushed}");

    stoa.succeed(&["model", "pull", "example/digits@1.0.0", "pulled"]);
    assert!(std::fs::read(stoa.path("pulled/extra.bin")).unwrap() == extra);
    stoa.kill_network();
    stoa.start_network_again();
    stoa.succeed(&["model", "verify", "example/digits@1.0.0"]);
}
