use super::*;

fn file(dict: &str, data: &[u8]) -> Vec<u8> {
    let mut f = b"\x93NUMPY\x01\x00".to_vec();
    f.extend((dict.len() as u16).to_le_bytes());
    f.extend(dict.as_bytes());
    f.extend(data);
    f
}

fn message(bytes: &[u8]) -> String {
    decode(bytes).expect_err("refused").to_string()
}

#[test]
fn what_is_written_reads_back() {
    for (name, size) in [("f16", 2), ("f32", 4), ("f64", 8), ("i32", 4), ("u32", 4), ("i64", 8), ("u64", 8), ("c64", 8)]
    {
        for shape in [vec![], vec![3], vec![2, 3], vec![0, 5]] {
            let mut array = Array::zeros(name.parse().unwrap(), shape.clone()).unwrap();
            assert_eq!(array.bytes.len() as u64, size * shape.iter().product::<u64>());
            array.bytes.iter_mut().enumerate().for_each(|(i, b)| *b = i as u8);
            let mut f = Vec::new();
            write(&mut f, &array).unwrap();
            assert_eq!((f.len() - array.bytes.len()) % 64, 0, "data is aligned");
            assert_eq!(decode(&f).unwrap(), array);
        }
    }
}

#[test]
fn big_endian_numbers_are_swapped() {
    let f = file("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", &[63, 128, 0, 0, 64, 0, 0, 0]);
    let a = decode(&f).unwrap();
    assert_eq!(a.bytes, [1.0f32.to_le_bytes(), 2.0f32.to_le_bytes()].concat());
    assert_eq!(a.dtype.descr(), "'<f4'");
    let f = file("{'descr': '>c8', 'fortran_order': False, 'shape': (1,)}", &[63, 128, 0, 0, 64, 0, 0, 0]);
    assert_eq!(decode(&f).unwrap().bytes, a.bytes);
}

#[test]
fn records_keep_their_layout() {
    let dict = "{'descr': [('pos', '>f4', (2,)), ('', '|V4'), ('id', '<i4')], 'fortran_order': False, 'shape': (1,), }";
    let a = decode(&file(dict, &[63, 128, 0, 0, 64, 0, 0, 0, 9, 9, 9, 9, 7, 0, 0, 0])).unwrap();
    assert_eq!(a.dtype.bytes(), 16);
    assert!(a.dtype.is_record() && a.dtype.scalar().is_none());
    assert_eq!(a.bytes, [0, 0, 128, 63, 0, 0, 0, 64, 9, 9, 9, 9, 7, 0, 0, 0]);
    let mut f = Vec::new();
    write(&mut f, &a).unwrap();
    assert_eq!(decode(&f).unwrap(), a);
}

#[test]
fn fortran_order_matters_from_two_axes_on() {
    let f =
        |shape: &str, n| file(&format!("{{'descr': '<f4', 'fortran_order': True, 'shape': {shape}, }}"), &vec![0; n]);
    assert!(decode(&f("(3,)", 12)).is_ok());
    assert!(decode(&f("(1, 3)", 12)).is_ok());
    assert!(message(&f("(2, 3)", 24)).contains("np.ascontiguousarray"));
}

#[test]
fn every_bad_file_says_what_is_wrong() {
    let dict = |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
    let cases = [
        (b"hello".to_vec(), "not an npy file"),
        (Vec::new(), "not an npy file"),
        (b"\x93NUMPY\x09\x00\x00\x00".to_vec(), "version 9"),
        (b"\x93NUMPY\x01\x00\xff\xff{".to_vec(), "truncated"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff".to_vec(), "longer than"),
        (file(&dict("'<f4'", "(2,)"), &[0; 7]), "truncated"),
        (file(&dict("'<f4'", "(2,)"), &[0; 9]), "after the array"),
        (file(&dict("'|b1'", "(2,)"), &[0; 2]), "boolean"),
        (file(&dict("'|O'", "(2,)"), &[0; 2]), "objects"),
        (file(&dict("'<U3'", "(2,)"), &[0; 24]), "text"),
        (file(&dict("'<f16'", "(1,)"), &[0; 16]), "element type"),
        (file(&dict("'<f4'", "(18446744073709551615, 2)"), &[]), "more bytes than can be counted"),
        (file(&dict("'<f4'", "(4611686018427387904, 2)"), &[]), "more bytes than can be counted"),
        (file(&dict("'<f4'", "(99999999999999999999999,)"), &[]), "axis"),
        (file(&dict("'<f4'", "(1000000000000,)"), &[0; 4]), "truncated"),
        (file(&dict("'<f4'", "(-1,)"), &[]), "axis"),
        (file(&dict("[]", "(1,)"), &[]), "no numbers"),
        (file(&dict(&format!("{}{}", "[('a', ".repeat(99), "]".repeat(99)), "(1,)"), &[]), "nested"),
        (file(&dict("'<f4'", &"(".repeat(9999)), &[]), "malformed"),
        (file("{'descr': '<f4', 'shape': (1,)}", &[0; 4]), "fortran_order"),
        (file("{'descr': '<f4", &[]), "without an end"),
    ];
    for (bytes, says) in cases {
        assert!(message(&bytes).contains(says), "{says}: {}", message(&bytes));
    }
    assert!("f31".parse::<Dtype>().unwrap_err().to_string().contains("f16 f32"));
    assert!(Array::zeros("f64".parse().unwrap(), vec![u64::MAX]).is_err());
}
