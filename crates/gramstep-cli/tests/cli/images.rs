//! Folders of images in every layout, good and bad, as users have them.

use std::fmt::Write;

use image::{GrayImage, Luma, Rgb, RgbImage};

use super::Bench;

const TRAIN: &str = "--model cnn:4:relu --epochs 3 --batch-size 16";

impl Bench {
    /// A grey image whose brightness is `level`, darker to the right.
    fn grey(&self, name: &str, level: u8) {
        let image = GrayImage::from_fn(8, 6, |x, _| Luma([level.saturating_sub(x as u8)]));
        image.save(self.place(name)).expect("a written image");
    }

    fn colour(&self, name: &str, level: u8) {
        let image = RgbImage::from_fn(8, 8, |x, y| Rgb([level, (10 * x) as u8, (10 * y) as u8]));
        image.save(self.place(name)).expect("a written image");
    }

    /// A path whose folders exist.
    fn place(&self, name: &str) -> std::path::PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
        path
    }

    /// The RSNA layout: brighter bones are older.
    fn bones(&self, number: u8) {
        let mut table = "id,boneage,male\n".to_owned();
        for i in 0..number {
            self.grey(&format!("bones/pictures/{i}.png"), 100 + 3 * i);
            let male = if i % 3 == 0 { "True" } else { "False" };
            writeln!(table, "{i},{},{male}", 12 + 2 * i).expect("a line");
        }
        self.write("bones/bones.csv", table);
    }
}

#[test]
fn ages_are_learned_from_the_layout_of_afad_and_predicted_by_file() {
    let bench = Bench::new();
    for age in 18..28_u8 {
        for (sex, i) in [("111", 0), ("112", 1), ("112", 2)] {
            bench.colour(&format!("faces/{age}/{sex}/{i}.png"), 20 * (age - 18) + i);
        }
    }
    let report = bench.json(&format!("train --data faces {TRAIN} --out run --augment flip,shift:1 --json"));
    assert_eq!((&report["task"], &report["precision"]), (&"regression".into(), &"f32".into()));
    assert_eq!(report["train"]["rows"], 21);
    let predicted = bench.run("predict run --data faces");
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);
    assert!(predicted.stdout.starts_with("file,predicted_age\n0.png,"), "{}", predicted.stdout);
    assert_eq!(predicted.stdout.lines().count(), 31);

    // The settings of reading are in the run: it can be repeated.
    let config = std::fs::read_to_string(bench.path("run/config.toml")).expect("a configuration");
    assert!(config.contains("image_size = \"8\"") && config.contains("augment = \"flip,shift:1\""), "{config}");
    let again = bench.json("train --config run/config.toml --out again --json");
    assert_eq!(again["train"], report["train"]);
}

#[test]
fn bone_age_takes_the_sex_beside_the_image() {
    let bench = Bench::new();
    bench.bones(40);
    let run = bench.run(&format!("train --data bones {TRAIN} --out run"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("`male`: text, 2 categories"), "{}", run.stderr);
    let predicted = bench.run("predict run --data bones");
    assert!(predicted.stdout.starts_with("file,predicted_boneage\n0.png,"), "{}", predicted.stdout);
    let attacked = bench.json("attack run --data bones --norm linf --radius 0.01 --box 0,1 --json");
    assert!(attacked["moves"][0]["mean"].as_f64().expect("a number") <= 0.01 + 1e-6);
}

#[test]
fn a_folder_a_class_is_a_classification() {
    let bench = Bench::new();
    for i in 0..20 {
        bench.grey(&format!("set/dark/{i}.png"), 20 + i);
        bench.grey(&format!("set/light/{i}.png"), 200 + i);
    }
    let report = bench.json(&format!("train --data set {TRAIN} --out run --json"));
    assert_eq!(report["task"], "classification");
    assert_eq!(report["test"]["accuracy"], 1.0);
}

#[test]
fn idx_files_bring_their_own_test_rows() {
    let bench = Bench::new();
    let idx = |dimensions: &[u32], bytes: Vec<u8>| {
        let mut file = vec![0, 0, 8, dimensions.len() as u8];
        for size in dimensions {
            file.extend(size.to_be_bytes());
        }
        file.extend(bytes);
        file
    };
    std::fs::create_dir(bench.path("digits")).expect("a new folder");
    for (name, number) in [("train", 60_u32), ("t10k", 20)] {
        let labels: Vec<u8> = (0..number).map(|i| (i % 2) as u8).collect();
        let pixels = (0_u8..).zip(&labels).flat_map(|(i, &label)| [200 * label, i, 20, 30, 40, 50]).collect();
        bench.write(&format!("digits/{name}-images-idx3-ubyte"), idx(&[number, 2, 3], pixels));
        bench.write(&format!("digits/{name}-labels-idx1-ubyte"), idx(&[number], labels));
    }
    let report = bench.json("train --data digits --model mlp:4:relu --epochs 3 --out run --json");
    assert_eq!((&report["train"]["rows"], &report["test"]["rows"]), (&54.into(), &20.into()));
    // The kept settings name these test rows: the same run once more, and its data for a report.
    let again = bench.json("train --config run/config.toml --out again --json");
    assert_eq!((&report["train"], &report["test"]), (&again["train"], &again["test"]));
    assert_eq!(bench.run("report run --out page.html").code, 0);
    assert!(!std::fs::read_to_string(bench.path("page.html")).unwrap().contains("no predictions to show"));

    bench.write("digits/train-labels-idx1-ubyte", idx(&[59], vec![0; 59]));
    bench.fails("train --data digits", 1, &["60 images, but 59 labels"]);
}

#[test]
fn a_broken_image_is_named_and_refused_or_left_out() {
    let bench = Bench::new();
    bench.bones(20);
    let whole = std::fs::read(bench.path("bones/pictures/7.png")).expect("an image");
    bench.write("bones/pictures/7.png", &whole[..whole.len() / 2]);
    bench.write("bones/pictures/9.png", "not an image");
    bench.fails(&format!("train --data bones {TRAIN}"), 1, &["7.png", "hint: ", "--broken-images skip"]);
    let run = bench.run(&format!("train --data bones {TRAIN} --broken-images skip"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("2 broken, left out; the first is") && run.stderr.contains("7.png"), "{}", run.stderr);
}

#[test]
fn rows_without_image_are_refused_or_left_out_and_images_without_row_are_said() {
    let bench = Bench::new();
    bench.bones(20);
    std::fs::remove_file(bench.path("bones/pictures/3.png")).expect("a removed file");
    bench.grey("bones/pictures/stray.png", 9);
    bench.fails(&format!("train --data bones {TRAIN}"), 1, &["bones.csv:5: no image is called `3`"]);
    let run = bench.run(&format!("train --data bones {TRAIN} --broken-images skip"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("1 row without an image, left out"), "{}", run.stderr);
    assert!(run.stderr.contains("1 image without a row, not used"), "{}", run.stderr);
}

#[test]
fn images_of_other_size_and_colour_are_fitted_and_said() {
    let bench = Bench::new();
    bench.bones(20);
    bench.colour("bones/pictures/5.png", 100);
    let run = bench.run(&format!("train --data bones {TRAIN} --image-size 6x8"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stderr.contains("images of 6×8, grey"), "{}", run.stderr);
    assert!(run.stderr.contains("1 of another size") && run.stderr.contains("1 of another colour"), "{}", run.stderr);
}

#[test]
fn folders_in_no_known_layout_are_refused_with_the_layouts() {
    let bench = Bench::new();
    bench.write("here.txt", "");
    std::fs::create_dir(bench.path("empty")).expect("a new folder");
    bench.fails("train --data empty", 1, &["no images in a layout that is known", "<class>/*"]);

    bench.grey("ages/young/111/1.png", 7);
    bench.fails("train --data ages", 1, &["`young` is not an age"]);

    bench.grey("classes/a/1.png", 7);
    std::fs::create_dir(bench.path("classes/b")).expect("a new folder");
    bench.fails("train --data classes", 1, &["1 usable row"]);

    bench.bones(3);
    bench.write("bones/other.csv", "id\n");
    bench.fails("train --data bones", 1, &["2 .csv files"]);
    std::fs::remove_file(bench.path("bones/other.csv")).expect("a removed file");
    bench.write("bones/bones.csv", "id,boneage\n0,old\n1,3\n2,4\n");
    bench.fails("train --data bones --validation 0 --test 0", 1, &["bones.csv:2", "`old` is not a number"]);
}

#[test]
fn a_format_that_is_said_comes_before_the_one_that_names_tell() {
    let bench = Bench::new();
    bench.bones(20);
    // Beside the table this is a folder a class, too: `pictures` is the only one.
    let classes = bench.run(&format!("train --data bones --format classes {TRAIN} --out classes"));
    assert!(classes.stderr.contains("`class`"), "{}", classes.stderr);
    let afad = bench.run(&format!("train --data bones --format afad {TRAIN} --out afad"));
    assert!(afad.stderr.contains("`pictures` is not an age"), "{}", afad.stderr);
    let idx = bench.run(&format!("train --data bones --format idx {TRAIN} --out idx"));
    assert!(idx.stderr.contains("no file *images-idx3-ubyte"), "{}", idx.stderr);

    bench.write("table.txt", super::smooth_table(40));
    let guessed = bench.run("train --data table.txt --epochs 1 --out guessed");
    assert_eq!(guessed.code, 2);
    assert!(guessed.stderr.contains("--format csv"), "{}", guessed.stderr);
    bench.json("train --data table.txt --format csv --epochs 1 --out run --json");
    let predicted = bench.run("predict run --data table.txt --format csv");
    assert_eq!((predicted.code, predicted.stdout.lines().count()), (0, 41), "{}", predicted.stderr);
    // The format is in the run: it can be repeated.
    bench.json("train --config run/config.toml --out again --json");
}

#[test]
fn max_pools_are_trained_and_kept() {
    let bench = Bench::new();
    bench.bones(30);
    let train =
        "train --data bones --model cnn:4,4:relu:max --image-size 8 --epochs 2 --batch-size 16 --out run --json";
    assert_eq!(bench.json(train)["model"], "cnn:4,4:relu:max");
    let predicted = bench.run("predict run --data bones");
    assert_eq!((predicted.code, predicted.stdout.lines().count()), (0, 31), "{}", predicted.stderr);
}

#[test]
fn settings_of_images_outside_their_range_are_refused() {
    let bench = Bench::new();
    bench.bones(12);
    for option in ["--image-size 0", "--colour blue", "--broken-images mend", "--augment mirror"] {
        bench.fails(&format!("train --data bones {option}"), 2, &["invalid value"]);
    }
    bench.fails(
        "train --data builtin:diabetes --augment flip",
        2,
        &["--augment does not go with a table", "a setting of images alone"],
    );
}

#[test]
fn convolutional_networks_are_averaged_too() {
    let bench = Bench::new();
    bench.bones(30);
    let report = bench.json("train --data bones --model cnn:4:relu --ensemble 2 --epochs 2 --out run --json --quiet");
    assert_eq!(report["ensemble"], 2);
    let info = bench.json("info run --json");
    assert_eq!((&info["networks"], &info["parameters"]), (&2.into(), &report["parameters"]));
    assert_eq!(bench.run("predict run --data bones").stdout.lines().count(), 31);
    bench.json("attack run --data bones --norm linf --radius 0.01 --box 0,1 --json --quiet");
}

#[test]
fn images_that_an_attack_misled_are_drawn() {
    let bench = Bench::new();
    for i in 0..20_u8 {
        bench.grey(&format!("shades/dark/{i}.png"), 60 + i);
        bench.grey(&format!("shades/light/{i}.png"), 90 + i);
    }
    bench.json(&format!("train --data shades {TRAIN} --out run --json --quiet"));
    bench.json("attack run --data shades --norm linf --radius 0.3 --box 0,1 --report a.html --json --quiet");
    let page = std::fs::read_to_string(bench.path("a.html")).unwrap();
    assert!(page.matches("data:image/png;base64,").count() >= 3, "no pictures");
    assert!(page.contains("times as large") && page.contains("accuracy"));
}

#[test]
fn what_cannot_be_read_is_an_empty_row_at_its_place_and_what_is_not_read_is_counted() {
    let bench = Bench::new();
    for i in 0..12_u8 {
        bench.grey(&format!("p/dark/{i:02}.png"), 20 + i);
        bench.grey(&format!("p/light/{i:02}.png"), 200 + i);
    }
    for other in ["p/dark/a.webp", "p/light/b.webp", "p/notes.txt", "p/light/more/c.png"] {
        std::fs::write(bench.place(other), "?").expect("a file");
    }
    let run = bench.run(&format!("train --data p {TRAIN} --out run"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let note = "24 images of 6×8, grey; 1 txt file, 2 webp files and 1 subfolder are not read";
    assert!(run.stderr.contains(note), "{}", run.stderr);

    bench.write("p/dark/03.png", "no picture");
    let whole = std::fs::read(bench.path("p/light/11.png")).expect("a picture");
    bench.write("p/light/11.png", &whole[..whole.len() / 2]);
    let predicted = bench.run("predict run --data p");
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);
    let rows: Vec<&str> = predicted.stdout.lines().collect();
    assert_eq!((rows.len(), rows[4], rows[24]), (25, "03.png,,,", "11.png,,,"), "{}", predicted.stdout);
    assert!(predicted.stderr.contains("2 broken, their rows stay empty"), "{}", predicted.stderr);

    let kept = bench.run("predict run --data p --keep class --quiet");
    let rows: Vec<&str> = kept.stdout.lines().collect();
    assert_eq!((kept.code, rows.len(), rows[4], rows[24]), (0, 25, "03.png,,,,", "11.png,,,,"), "{}", kept.stdout);
    assert!(rows[5].starts_with("04.png,dark,") && rows[23].starts_with("10.png,light,"), "{}", kept.stdout);
}

#[test]
#[cfg(target_os = "linux")]
fn names_that_are_not_text_are_classes_apart() {
    use std::os::unix::ffi::OsStrExt;
    let bench = Bench::new();
    for (byte, level) in [(b"\xfe", 20), (b"\xff", 200)] {
        let folder = bench.path("p").join(std::ffi::OsStr::from_bytes(byte));
        std::fs::create_dir_all(&folder).expect("a folder");
        for i in 0..12_u8 {
            GrayImage::from_pixel(8, 8, Luma([level + i])).save(folder.join(format!("{i}.png"))).expect("an image");
        }
    }
    let report = bench.json(&format!("train --data p {TRAIN} --json --out run"));
    assert_eq!(report["task"], "classification");
    let predicted = bench.run("predict run --data p --quiet");
    assert!(predicted.stdout.starts_with("file,predicted_class,probability_\\xfe,probability_\\xff\n"));
}

#[test]
fn kernels_of_infinitely_wide_convolutional_networks_are_regressed_with() {
    let bench = Bench::new();
    for i in 0..12_u8 {
        bench.grey(&format!("shades/dark/{i}.png"), 40 + i);
        bench.grey(&format!("shades/light/{i}.png"), 180 + i);
    }
    for model in ["ntk:cnn:16,32:relu:gap", "nngp:cnn:8k5s2,8:erf:flatten", "ntk:myrtle5", "ntk:resnet:8:4"] {
        let report = bench.json(&format!("train --data shades --model {model} --out run --json --quiet"));
        assert_eq!(report["test"]["accuracy"], 1.0, "{model}");
        // The model file knows the size of its images, and the settings repeat the run.
        assert_eq!(bench.run("predict run --data shades").stdout.lines().count(), 25, "{model}");
        let again = bench.json("train --config run/config.toml --out again --json --quiet");
        assert_eq!(again["train"], report["train"], "{model}");
        std::fs::remove_dir_all(bench.path("run")).unwrap();
        std::fs::remove_dir_all(bench.path("again")).unwrap();
    }
    let summary = bench.json("kernel --data shades --infinite ntk:myrtle5 --out k.npy --json --quiet");
    assert_eq!(summary["size"], 24);
    bench.json("train --data shades --model ntk:cnn:4:relu --out run --json --quiet");
    bench.fails("attack run --data shades --norm linf --radius 0.1", 1, &["gradient", "convolutional", "--transfer"]);

    bench.bones(10);
    bench.fails("train --data bones --model ntk:cnn:4:relu", 2, &["numbers beside an image", "has no kernel"]);
    // Columns of a table may be the pixels of an image, row by row.
    bench.write(
        "pixels.csv",
        (0..20).fold("a,b,c,d,y\n".to_owned(), |text, i| format!("{text}{i},1,{},0,{i}\n", 20 - i)),
    );
    bench.fails("train --data pixels.csv --model ntk:cnn:4:relu", 2, &["a vector of", "image="]);
    bench.fails("train --data pixels.csv --model ntk:cnn:4:max", 2, &["largest"]);
}
